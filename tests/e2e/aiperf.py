"""NVIDIA's aiperf as its users run it: the commands of its tutorial on SGLang's video generation, and images.

Run by name: it takes long to install, into build/aiperf (or REEL_AIPERF), and 20 s a command. Only the
tokenizer differs from the tutorial: aiperf's built-in one is fetched from the network.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from conftest import ROOT

MODEL = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
PROMPTS = ("A serene lake at sunset with mountains in the background",
           "A cat playing with a ball of yarn in a cozy living room",
           "A futuristic city with flying cars and neon lights")
NVML = os.environ["REEL_FAKE_NVML"]

IN_FILE = "--input-file video_prompts.jsonl --custom-dataset-type single_turn --concurrency 1 --request-count 3"
MADE_UP = "--synthetic-input-tokens-mean 50 --concurrency 1 --request-count 5"
TUTORIAL = {
    "input file": f"{IN_FILE} --extra-inputs size:1280x720 --extra-inputs seconds:4",
    "synthetic": f"{MADE_UP} --synthetic-input-tokens-stddev 10 --extra-inputs size:1280x720 --extra-inputs seconds:4",
    "download": f"{IN_FILE} --extra-inputs size:1280x720 --extra-inputs seconds:4 --download-video-content",
    "advanced": f"{IN_FILE} --extra-inputs size:1280x720 --extra-inputs seconds:8 --extra-inputs seed:42 "
                "--extra-inputs guidance_scale:7.5 --extra-inputs num_inference_steps:50",
    "timeout": f"{IN_FILE} --extra-inputs size:1280x720 --extra-inputs seconds:4 --request-timeout-seconds 1200",
    "raw": f"{IN_FILE} --extra-inputs size:1280x720 --extra-inputs seconds:4 --export-level raw",
    "throughput": "--synthetic-input-tokens-mean 30 --concurrency 4 --request-count 20 --extra-inputs size:720x480 "
                  "--extra-inputs seconds:4",
    "short": f"{MADE_UP} --extra-inputs size:1280x720 --extra-inputs seconds:4",
    "longer": f"{MADE_UP} --extra-inputs size:1280x720 --extra-inputs seconds:8",
    "fewer steps": f"{MADE_UP} --extra-inputs size:1280x720 --extra-inputs seconds:4 --extra-inputs num_inference_steps:20",
    "more steps": f"{MADE_UP} --extra-inputs size:1280x720 --extra-inputs seconds:4 --extra-inputs num_inference_steps:100",
}


@pytest.fixture(scope="session")
def tool():
    venv = pathlib.Path(os.environ.get("REEL_AIPERF", ROOT / "build/aiperf"))
    aiperf = venv / "bin/aiperf"
    if not aiperf.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r",
                        pathlib.Path(__file__).with_name("aiperf.txt")], check=True)
    return aiperf


@pytest.fixture
def server(start, tmp_path, monkeypatch):
    (tmp_path / "libnvidia-ml.so.1").symlink_to(NVML)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    return start("--model-path", "fake:step_ms=30,size_multiple=8", "--served-model-name", MODEL)


class Run:
    """One run of aiperf that had no error."""

    def __init__(self, tool, server, folder, kind, arguments, environment=None):
        (folder / "video_prompts.jsonl").write_text("".join(json.dumps({"text": p}) + "\n" for p in PROMPTS))
        done = subprocess.run(
            [tool, "profile", "--model", MODEL, "--tokenizer", ROOT / "configs/demo/tokenizer", "--url", server.url,
             "--endpoint-type", kind, *arguments.split(), "--ui", "none"],
            cwd=folder, capture_output=True, text=True, timeout=900, env={**os.environ, **(environment or {})})
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        self.folder, = folder.glob("artifacts/*-concurrency*")
        self.summary = json.loads((self.folder / "profile_export_aiperf.json").read_text())
        self.records = self.lines("profile_export.jsonl")
        asked = int(arguments.split("--request-count ")[1].split()[0])
        assert len(self.records) == asked and not any(record.get("error") for record in self.records)
        assert self.summary["error_summary"] == [] and self.summary["request_count"]["avg"] == asked
        assert self.summary["request_error_rate"]["avg"] == 0

    def lines(self, name):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def test_all_that_it_reads(tool, server, tmp_path):
    run = Run(tool, server, tmp_path, "video_generation",
              f"{IN_FILE} --extra-inputs size:64x48 --extra-inputs seconds:1 --export-level raw "
              f"--wait-for-model-timeout 60 --gpu-telemetry {server.url}/metrics --download-video-content")
    for record in run.records:
        assert 120 <= record["metrics"]["video_inference_time"]["value"] <= record["metrics"]["request_latency"]["value"]
    for record in run.lines("profile_export_raw.jsonl"):
        videos = [json.loads(response["text"]) for response in record["responses"] if response.get("text")]
        done = next(video for video in videos if video["status"] == "completed")
        assert urllib.request.urlopen(done["url"]).read()[4:8] == b"ftyp"
    telemetry = run.lines("gpu_telemetry_export.jsonl")
    assert {line["gpu_uuid"] for line in telemetry} == {"GPU-0", "GPU-1"}
    assert telemetry[0]["telemetry_data"]["nvidia_power_usage"] == 123.456
    metrics = json.loads((run.folder / "server_metrics_export.json").read_text())["metrics"]
    assert {"serve_jobs", "serve_step_seconds", "sglang:num_running_reqs"} <= metrics.keys()


@pytest.mark.parametrize("streaming", ["", " --streaming"])
def test_images(tool, server, tmp_path, streaming):
    Run(tool, server, tmp_path, "image_generation",
        "--synthetic-input-tokens-mean 20 --concurrency 2 --request-count 4 --extra-inputs size:64x48" + streaming)


@pytest.mark.skipif("REEL_LONG" not in os.environ, reason="takes minutes: REEL_LONG=1")
@pytest.mark.parametrize("command", TUTORIAL)
def test_tutorial(tool, server, tmp_path, command):
    slower = {"AIPERF_HTTP_VIDEO_POLL_INTERVAL": "0.5"} if command == "timeout" else {}
    Run(tool, server, tmp_path, "video_generation", TUTORIAL[command], slower)
