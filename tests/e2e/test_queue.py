"""Who goes first, and what becomes of who has to wait: on the real engine."""

import hashlib
import json

from conftest import TINY, needs_engine
from test_server import poll, post

LONG = {"prompt": "a red ball rolls", "size": "96x64", "num_frames": 17, "num_inference_steps": 60,
        "seed": 5, "n": 2}
SHORT = {"prompt": "a cat", "size": "32x32", "num_frames": 1, "num_inference_steps": 1, "seed": 5}


def digests(server, job):
    url = f"{server.url}/v1/videos/{job['id']}/content"
    files = sorted((server.folder / "outputs").glob(f"{job['id']}_?.mp4"))
    assert len(files) == 2 and server.curl(url, "-o", "/dev/null")[1] == 200
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def state(server, job):
    return json.loads(server.curl(f"{server.url}/v1/videos/{job['id']}")[0])


def interrupt(server, job, **more):
    """Lets a short job run when `job` is some steps further; the latter's last progress."""
    before = state(server, job)["progress"]
    server.wait_for(lambda: state(server, job)["progress"] > before)
    short, status = post(server, {**SHORT, **more})
    assert status == 200
    assert poll(server, short)["status"] == "completed"
    now = state(server, job)
    assert now["status"] == "in_progress" and now["progress"] >= before
    return now["progress"]


def preemptions(server):
    return json.loads(server.curl(server.url + "/stats")[0])["queue"]["preemptions"]


@needs_engine
def test_an_interrupted_video_is_the_same_to_the_byte(start):
    server = start("--model-path", TINY, "--dit-precision", "fp32", "--queue-policy", "shortest")
    undisturbed = poll(server, post(server, LONG)[0])
    assert preemptions(server) == 0
    job, _ = post(server, LONG)
    progress = [interrupt(server, job), interrupt(server, job, priority=1),
                interrupt(server, job, priority=100)]
    server.wait_for(lambda: state(server, job)["progress"] > 55)  # in its second output
    progress += [interrupt(server, job)]
    assert preemptions(server) == 4 and progress == sorted(progress)
    assert poll(server, job)["status"] == "completed"
    assert digests(server, job) == digests(server, undisturbed)


@needs_engine
def test_a_job_ends_at_its_deadline(tiny):
    job, _ = post(tiny, {**LONG, "num_inference_steps": 1000, "timeout_s": 0.5})
    job = poll(tiny, job)
    assert job["status"] == "failed" and job["error"]["code"] == "timeout"
    assert not list((tiny.folder / "outputs").glob(job["id"] + "*"))
