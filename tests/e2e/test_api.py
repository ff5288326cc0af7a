"""The whole API over a fake generator, by the OpenAI SDK and curl; every reply is checked against
/openapi.json."""

import base64
import io
import json
import subprocess

import openai
import pytest
from PIL import Image

from test_server import poll, post


@pytest.fixture
def server(start):
    return start("--model-path", "fake:step_ms=5")


@pytest.fixture
def client(server):
    return sdk(server)


def sdk(server):
    """OpenAI's, whose replies are held to the description."""
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)

    def check(response):
        if response.headers["content-type"].startswith("text/event-stream"):
            return
        response.read()
        server.contract.check(response.request.method, response.request.url.raw_path.decode(),
                              response.status_code, response.headers.get("content-type", ""),
                              response.content)
    client._client.event_hooks["response"].append(check)
    return client


def make(client, **more):
    return client.videos.create_and_poll(prompt="a ball", model="fake", poll_interval_ms=20,
                                         extra_body={"seed": 7, **more})


def test_every_variant_of_a_video(client):
    video = make(client, n=2)
    assert video.status == "completed"
    download = client.videos.download_content
    thumbnail = Image.open(io.BytesIO(download(video.id, variant="thumbnail").read()))
    assert thumbnail.format == "WEBP" and thumbnail.size == (64, 48)
    sheet = Image.open(io.BytesIO(download(video.id, variant="spritesheet").read()))
    assert sheet.format == "JPEG" and sheet.size == (256, 192)
    files = [download(video.id, variant=v).read() for v in ("video", "0", "1")]
    assert files[0] == files[1] != files[2]
    with pytest.raises(openai.NotFoundError):
        download(video.id, variant="2")


def test_remix(client):
    source = make(client)
    remix = client.videos.remix(source.id, prompt="a cube")
    assert remix.remixed_from_video_id == source.id and remix.prompt == "a cube"
    assert remix.seed == source.seed == 7
    assert client.videos.poll(remix.id, poll_interval_ms=20).status == "completed"


def test_a_page_of_the_list_at_a_time(client):
    made = [client.videos.create(prompt=str(i), model="fake").id for i in range(7)]
    for order, wanted in (("asc", made), ("desc", made[::-1])):
        assert [v.id for v in client.videos.list(limit=3, order=order)] == wanted


def test_sync_is_the_file(server):
    made = subprocess.run(["curl", "-sS", "-i", server.url + "/v1/videos/sync", "-F", "prompt=a"],
                          capture_output=True, check=True, timeout=60).stdout
    head, _, body = made.partition(b"\r\n\r\n")
    assert b"Content-Type: video/mp4" in head and body[4:8] == b"ftyp"


def test_images_stream(client):
    events = list(client.images.generate(prompt="a", size="64x48", stream=True, partial_images=1))
    assert [e.type for e in events] == ["image_generation.partial_image", "image_generation.completed"]
    sizes = [Image.open(io.BytesIO(base64.b64decode(e.b64_json))).size for e in events]
    assert events[0].partial_image_index == 0 and sizes == [(8, 6), (64, 48)]


def test_a_failing_stream_raises(start):
    server = start("--model-path", "fake:fail_step=1")
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.APIError) as error:
        list(client.images.generate(prompt="a", stream=True))
    assert "told to fail" in error.value.message


def test_edits_are_refused_clearly(client):
    with pytest.raises(openai.BadRequestError) as error:
        client.images.edit(image=("a.png", b"png"), prompt="a")
    assert error.value.param == "image"


def test_a_picture_is_what_a_video_is_made_from(start):
    server = start("--model-path", "fake:image=required")
    client = sdk(server)
    with pytest.raises(openai.BadRequestError) as error:
        make(client)
    assert error.value.param == "input_reference"
    file = io.BytesIO()
    Image.new("RGB", (64, 32), "red").save(file, "PNG")
    picture = ("a.png", file.getvalue(), "image/png")
    video = client.videos.create_and_poll(prompt="a ball", model="fake", poll_interval_ms=20,
                                          input_reference=picture)
    assert video.status == "completed" and video.size == "64x32"
    assert video.inputs["image"]["width"] == 64
    edited = client.images.edit(image=picture, prompt="a", response_format="b64_json")
    assert Image.open(io.BytesIO(base64.b64decode(edited.data[0].b64_json))).size == (64, 32)
    with pytest.raises(openai.BadRequestError) as error:
        client.videos.create(prompt="a", model="fake", input_reference=("a.png", b"png", "image/png"))
    assert error.value.param == "input_reference"


def events_of(server, path):
    text = subprocess.run(["curl", "-sSN", "--max-time", "30", server.url + path],
                          capture_output=True, check=True).stdout.decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines()
            if line.startswith("data: ")]


def test_events_tell_a_jobs_story(server):
    job, _ = post(server, {"prompt": "a"})
    events = events_of(server, f"/v1/videos/{job['id']}/events")
    for event in events:
        server.contract.check_value("/components/schemas/Event", event)
    types = [event["type"] for event in events]
    assert types[:2] == ["queued", "started"] and types[-1] == "completed"
    assert "progress" in types and {e["id"] for e in events} == {job["id"]}


def test_one_key_is_one_job(client):
    def create(prompt):
        return client.videos.create(prompt=prompt, model="fake",
                                    extra_headers={"Idempotency-Key": "k"})
    assert create("a").id == create("a").id
    with pytest.raises(openai.UnprocessableEntityError) as error:
        create("b")
    assert error.value.code == "idempotency_key_reused"


def test_old_videos_make_room_for_new_ones(start):
    server = start("--model-path", "fake:", "--output-quota", "60kb")
    jobs = [poll(server, post(server, {"prompt": "a"})[0]) for _ in range(20)]
    server.wait_for(lambda: server.curl(f"{server.url}/v1/videos/{jobs[0]['id']}")[1] == 410)
    assert server.curl(f"{server.url}/v1/videos/{jobs[-1]['id']}")[1] == 200

    def taken():
        return sum(p.stat().st_size for p in (server.folder / "outputs").iterdir())
    server.wait_for(lambda: 0 < taken() <= 60 * 1024)


def test_the_newest_video_stays_however_large(start):
    server = start("--model-path", "fake:", "--output-quota", "1kb")
    first, last = (poll(server, post(server, {"prompt": "a"})[0]) for _ in range(2))
    server.wait_for(lambda: server.curl(f"{server.url}/v1/videos/{first['id']}")[1] == 410)
    assert server.curl(f"{server.url}/v1/videos/{last['id']}")[1] == 200
    image, status = post(server, {"prompt": "a", "size": "64x48", "response_format": "b64_json"},
                         "/v1/images/generations")
    assert status == 200 and image["data"][0]["b64_json"]


def test_every_description_is_true(server, client):
    video = make(client)
    client.videos.delete(video.id)
    job, _ = post(server, {"prompt": "a"})
    image, _ = post(server, {"prompt": "a", "size": "64x48"}, "/v1/images/generations")
    poll(server, job)
    for path in ["/", "/v1", "/v1/models", "/models", "/v1/models/fake", "/v1/capabilities", "/v1/model_info",
                 "/model_info", "/server_info", "/stats", "/version", "/openapi.json", "/health",
                 "/health_generate", "/liveness", "/livez", "/healthz", "/readyz", "/ping",
                 "/health/live", "/health/ready", "/v1/health/live", "/v1/health/ready", "/metrics",
                 "/v1/metrics", "/v1/videos", f"/v1/videos/{job['id']}"]:
        assert server.curl(server.url + path)[1] == 200, path
    server.curl("-X", "POST", f"{server.url}/v1/videos/{job['id']}/cancel")
    post(server, {"prompt": "b"}, f"/v1/videos/{job['id']}/remix")
    for url in [image["data"][0]["url"], f"{server.url}/v1/videos/{job['id']}/content"]:
        head = subprocess.run(["curl", "-sSI", url], capture_output=True, check=True).stdout
        assert b" 200 " in head, head
    described = {operation["operationId"] for item in server.contract.document["paths"].values()
                 for method, operation in item.items() if method != "parameters"}
    binary = {"createVideoAndWait", "getVideoContent", "getImageContent", "watchVideo", "watchJobs",
              "editImage"}
    assert described - server.contract.checked <= binary
