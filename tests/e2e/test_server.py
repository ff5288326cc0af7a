"""The binary as an operator sees it: curl, signals, flags."""

import http.client
import json
import subprocess
import time

from prometheus_client import parser

from conftest import SERVE, TINY, needs_engine


def post(server, body, path="/v1/videos"):
    text, status = server.curl(server.url + path, "-H", "Content-Type: application/json",
                               "-d", json.dumps(body))
    return json.loads(text), status


def poll(server, job, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = json.loads(server.curl(f"{server.url}/v1/videos/{job['id']}")[0])
        if job["status"] in ("completed", "failed"):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def probe(path):
    made = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_entries",
         "stream=codec_name,width,height,pix_fmt,r_frame_rate,nb_read_frames:format_tags", path],
        capture_output=True, check=True)
    return json.loads(made.stdout)


def test_a_video_by_curl(tiny, tmp_path):
    job, status = post(tiny, {"prompt": "a \"red\" ball; 球", "size": "64x48", "num_frames": 9,
                              "num_inference_steps": 3, "seed": 5})
    assert status == 200 and job["status"] == "queued" and job["url"] is None
    job = poll(tiny, job)
    assert job["status"] == "completed" and job["inference_time_s"] > 0
    assert job["url"] == f"{tiny.url}/v1/videos/{job['id']}/content"
    path = tmp_path / "video.mp4"
    tiny.curl(job["url"], "-o", str(path))
    seen = probe(path)
    assert seen["streams"][0] == {"codec_name": "h264", "width": 64, "height": 48,
                                  "pix_fmt": "yuv420p", "r_frame_rate": "16/1",
                                  "nb_read_frames": "9"}
    assert seen["format"]["tags"]["prompt"] == "a \"red\" ball; 球"
    assert seen["format"]["tags"]["seed"] == "5"


def test_multipart_and_urlencoded(tiny):
    fields = {"prompt": "a ball", "size": "64x48", "num_frames": "5", "num_inference_steps": "2"}
    for flag in ("-F", "--data-urlencode"):
        arguments = [a for k, v in fields.items() for a in (flag, f"{k}={v}")]
        text, status = tiny.curl(tiny.url + "/v1/videos", *arguments)
        assert status == 200, text
        assert poll(tiny, json.loads(text))["status"] == "completed"
    # curl labels bare -d as urlencoded, JSON or not
    text, status = tiny.curl(tiny.url + "/v1/videos", "-d", json.dumps(fields))
    assert status == 200, text


def test_wrong_fields(tiny):
    for body, param in [({}, "prompt"), ({"prompt": ""}, "prompt"),
                        ({"prompt": "a", "size": "64"}, "size"),
                        ({"prompt": "a", "width": 63}, "width"),
                        ({"prompt": "a", "num_frames": 0}, "num_frames"),
                        ({"prompt": "a", "num_inference_steps": "x"}, "num_inference_steps"),
                        ({"prompt": "a", "guidance_scale": -1}, "guidance_scale"),
                        ({"prompt": "a", "guidance_scale_2": 2}, "guidance_scale_2"),
                        ({"prompt": "a", "enable_upscaling": True}, "enable_upscaling"),
                        ({"prompt": "a", "input_reference": "http://a/b.png"}, "input_reference"),
                        ({"prompt": "a", "seed": -1}, "seed")]:
        reply, status = post(tiny, body)
        assert status == 400 and reply["error"]["param"] == param, (body, reply)
        assert reply["detail"] == reply["error"]["message"]


def test_hard_prompts_are_answered(tiny, tmp_path):
    small = {"size": "32x32", "num_frames": 1, "num_inference_steps": 1}
    for prompt in ["</s><pad>", "\u0000\u0001", "x" * 100_000, "👩‍👩‍👧‍👦 ﬁ ＡＢＣ"]:
        job, status = post(tiny, {"prompt": prompt, **small})
        assert status in (200, 400), job
        if status == 200:
            assert poll(tiny, job)["status"] == "completed"
    body = tmp_path / "body"
    body.write_bytes(b'{"prompt": "\xff\xfe"}')
    assert tiny.curl(tiny.url + "/v1/videos", "-H", "Content-Type: application/json",
                     "--data-binary", f"@{body}")[1] == 400


def test_probes_while_loading_ready_and_draining(start):
    server = start("--model-path", "fake:load_ms=700,step_ms=100,steps=10", ready=False)
    assert server.curl(server.url + "/health")[1] == 503
    assert server.curl(server.url + "/liveness")[1] == 200
    assert server.curl(server.url + "/v1/models")[1] == 503
    server.wait_until_ready()
    assert server.curl(server.url + "/v1/chat/completions", "-d", "{}")[1] == 404
    job, _ = post(server, {"prompt": "a ball"})
    server.process.terminate()
    server.wait_for(lambda: "server.draining" in server.log)
    assert post(server, {"prompt": "another"})[1] == 503
    assert poll(server, job)["status"] == "completed"  # its client is not left without an answer
    assert server.process.wait(timeout=30) == 0
    assert list((server.folder / "outputs").glob("*.part")) == []
    assert len(list((server.folder / "outputs").glob("*.mp4"))) == 1


def test_cancel_ends_within_a_step(start):
    server = start("--model-path", "fake:step_ms=100,steps=100")
    job, _ = post(server, {"prompt": "a ball"})
    url = f"{server.url}/v1/videos/{job['id']}"
    server.wait_for(lambda: json.loads(server.curl(url)[0])["progress"] > 0)
    began = time.monotonic()
    server.curl("-X", "POST", url + "/cancel")
    job = poll(server, job)
    assert time.monotonic() - began < 0.6
    assert job["status"] == "failed" and job["error"]["code"] == "cancelled"
    other, _ = post(server, {"prompt": "a ball", "num_inference_steps": 1})
    assert poll(server, other, seconds=3)["status"] == "completed"


def test_a_finished_job_expires_with_its_files(start):
    server = start("--model-path", "fake:", "--job-ttl", "10")
    job = poll(server, post(server, {"prompt": "a"})[0])
    assert job["expires_at"] == job["completed_at"] + 10
    server.wait_for(lambda: server.curl(f"{server.url}/v1/videos/{job['id']}")[1] == 410)
    assert time.time() >= job["expires_at"]
    server.wait_for(lambda: [p.name for p in (server.folder / "outputs").iterdir()] == [".lock"])


def test_a_failing_job_leaves_the_queue_alone(start):
    server = start("--model-path", "fake:fail_step=2,fail_with=out_of_memory")
    bad, _ = post(server, {"prompt": "a", "num_inference_steps": 3})
    good, _ = post(server, {"prompt": "a", "num_inference_steps": 1})
    assert poll(server, bad)["error"]["code"] == "out_of_memory"
    assert poll(server, good)["status"] == "completed"


@needs_engine
def test_wrong_flags_and_folders_exit_2_with_one_line(tmp_path):
    for flags in [[], ["--model-path", str(tmp_path)], ["--model-path", "/nowhere"],
                  ["--model-path", "fake:", "--num-gpus", "8"],
                  ["--model-path", "fake:", "--port", "x"],
                  ["bench", "--extra-body", "{"], ["bench", "--extra-body", "[1]"],
                  ["--model-path", "fake:what=1"],
                  ["--model-path", str(TINY), "--dit-precision", "fp8"]]:
        made = subprocess.run([SERVE, *flags], capture_output=True, timeout=30, cwd=tmp_path)
        assert made.returncode == 2, (flags, made.stderr)
        assert made.stderr.decode().startswith("serve: ") and made.stderr.count(b"\n") == 1


@needs_engine
def test_generate_without_a_server(tmp_path):
    made = subprocess.run(
        [SERVE, "generate", "--model-path", TINY, "--prompt", "a red ball", "--seed", "7",
         "--width", "64", "--height", "48", "--num-frames", "9", "--num-inference-steps", "3",
         "--dit-precision", "fp32", "--threads", "1", "--output-path", "out", "--dump", "dump"],
        capture_output=True, check=True, timeout=60, cwd=tmp_path)
    (path,) = made.stdout.decode().split()
    assert path.startswith(str(tmp_path / "out" / "a_red_ball_")) and path.endswith(".mp4")
    assert probe(path)["streams"][0]["nb_read_frames"] == "9"
    assert (tmp_path / "dump" / "tensors.safetensors").stat().st_size > 0


def test_generate_names_every_file(tmp_path):
    def run(*flags):
        return subprocess.run([SERVE, "generate", "--model-path", "fake:", *flags],
                              capture_output=True, timeout=60, cwd=tmp_path)
    made = run("--prompt", "a", "b", "--num-outputs", "2", "--output-file-name", "x.mp4",
               "--output-path", "out")
    assert made.stdout.decode().split() == [str(tmp_path / f"out/x_{i}.mp4") for i in range(4)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"x_{i}.mp4" for i in range(4)]
    made = run("--prompt", "a", "--output-file-path", "deep/er/y.mp4")
    assert made.stdout.decode().split() == [str(tmp_path / "deep/er/y.mp4")]
    (tmp_path / "outputs/folder.mp4").mkdir(parents=True)
    (tmp_path / "folder.mp4").mkdir()
    for flags in [("--output-file-name", "../x.mp4"), ("--output-file-name", ".."),
                  ("--output-file-name", "x" * 300), ("--output-file-path", "out/"),
                  ("--output-file-name", "folder"), ("--output-file-path", "folder.mp4"),
                  ("--output-path", "/proc/x"), ("--dump", "/proc/x"),
                  ("--perf-dump-path", "none/x")]:
        made = run("--prompt", "a", *flags)
        assert made.returncode == 2 and made.stderr.count(b"\n") == 1, (flags, made.stderr)
    (tmp_path / "prompts").write_bytes(b"../../x\r\nb\n")
    names = [line.rpartition("/")[2] for line in
             run("--prompt-path", "prompts", "--output-path", "p").stdout.decode().split()]
    assert len(names) == 2 and names[0].startswith("_._.._x_2")


def test_an_output_path_that_cannot_be_exits_2(tmp_path):
    (tmp_path / "file").write_text("")
    for path in ["/proc/x", "file"]:
        made = subprocess.run([SERVE, "--model-path", "fake:", "--port", "0", "--output-path", path],
                              capture_output=True, timeout=30, cwd=tmp_path, text=True)
        assert made.returncode == 2 and made.stderr.startswith(f"serve: --output-path: {path}: ")


def test_tokenize():
    made = subprocess.run([SERVE, "tokenize", "--model-path", TINY, "--jsonl"], check=True,
                          input=b'"a  &amp; b"\nnot json\n', capture_output=True, timeout=30)
    first, second = map(json.loads, made.stdout.splitlines())
    assert first["cleaned"] == "a & b" and first["ids"][-1] == 1
    assert "error" in second


def test_bench_prints_sglangs_block(start):
    server = start("--model-path", "fake:step_ms=1")
    made = subprocess.run([SERVE, "bench", "--base-url", server.url, "--num-prompts", "3",
                           "--max-concurrency", "3"], capture_output=True, check=True, timeout=60)
    text = made.stdout.decode()
    assert "================= Serving Benchmark Result =================" in text
    assert f"{'Successful requests:':<45} {'3/3':<30}" in text


def test_bench_begins_with_pictures_and_tells_what_was_in_time(start, tmp_path):
    server = start("--model-path", "fake:step_ms=1,image=required")
    figures = tmp_path / "figures.json"
    profiles = [{"width": 64, "height": 32, "num_inference_steps": 2, "weight": 2}, {"num_frames": 9}]
    made = subprocess.run([SERVE, "bench", "--base-url", server.url, "--num-prompts", "2", "--task", "i2v", "--slo",
                           "--slo-scale", "100", "--random-request-config", json.dumps(profiles), "--log-level", "INFO",
                           "--output-file", figures], capture_output=True, check=True, timeout=60)
    told = made.stdout.decode()
    assert f"{'Task:':<45} {'image-to-video':<30}" in told
    assert f"{'SLO Attainment Rate:':<40} {'100.00%':<15}" in told
    assert json.loads(figures.read_text())["slo_met_success"] == 2
    videos = json.loads(server.curl(server.url + "/v1/videos")[0])["data"]
    assert len(videos) == 3 and all("image" in str(video["inputs"]) for video in videos), videos


def test_every_metric_is_text_that_prometheus_reads(start):
    server = start("--model-path", "fake:step_ms=50", "--max-queue", "1")
    made = [post(server, {"prompt": "a"}) for _ in range(4)]
    assert made[-1][1] == 429
    poll(server, made[0][0])
    for _ in range(2):  # the second has what the first scrape counted
        text, status = server.curl(server.url + "/metrics")
        assert status == 200
        families = {f.name: f for f in parser.text_string_to_metric_families(text + "\n")}
    assert {"serve_build_info", "serve_http_connections", "serve_http_request_duration_seconds",
            "serve_http_requests", "serve_job_duration_seconds", "serve_jobs", "serve_jobs_running",
            "serve_oldest_queued_seconds", "serve_queue_depth", "serve_queue_wait_seconds", "serve_rejected",
            "serve_stage_seconds", "serve_step_seconds", "sglang:num_queue_reqs",
            "sglang:num_running_reqs"} <= families.keys(), sorted(families)


def connections(server, count):
    host, port = server.url.removeprefix("http://").split(":")
    return [http.client.HTTPConnection(host, int(port), timeout=20) for _ in range(count)]


def answered(connection):
    connection.request("GET", "/health")
    reply = connection.getresponse()
    return reply.status == 200 and reply.read()


def test_as_many_connections_as_it_can_be_let_have(start):
    server = start("--model-path", "fake:", files=(64, 500))
    assert all(answered(one) for one in connections(server, 300))


def test_connections_leave_room_for_what_they_ask_for(start):
    server = start("--model-path", "fake:", files=(120, 120))
    video = poll(server, post(server, {"prompt": "a cat"})[0])
    early, late = connections(server, 80), connections(server, 60)
    assert all(answered(one) for one in early)
    for one in late:
        one.connect()
    server.wait_for(lambda: "http.accept_paused" in server.log)
    early[0].request("GET", f"/v1/videos/{video['id']}/content")
    assert early[0].getresponse().read()[4:8] == b"ftyp"
    for one in early:
        one.close()
    assert all(answered(one) for one in late)
