"""What goes wrong: disks that fill, folders that cannot be written, kills, two at once."""

import http.client
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import SERVE
from test_server import poll, post


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                             capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


# Frames that x264 cannot squeeze into that disk at this quality.
LARGE = {"size": "640x480", "num_frames": 121, "output_compression": 100}


def generate(*flags, **options):
    return subprocess.Popen([SERVE, "generate", "--prompt", "a ball", *map(str, flags)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_a_full_disk_fails_that_job_alone(start, small_disk):
    server = start("--model-path", "fake:", "--output-path", small_disk)
    large, _ = post(server, {"prompt": "a", **LARGE})
    small, _ = post(server, {"prompt": "a", "size": "32x32", "num_frames": 1})
    large = poll(server, large)
    assert large["status"] == "failed" and large["error"]["code"] == "storage_full", large
    assert poll(server, small)["status"] == "completed"
    assert sorted(p.name for p in small_disk.iterdir()) == sorted(
        [".lock"] + [small["id"] + rest for rest in
                     (".mp4", "_thumbnail.webp", "_spritesheet.jpg")])

    fill(small_disk)
    reply, status = post(server, {"prompt": "a", "size": "640x480", "output_format": "png"},
                         "/v1/images/generations")
    assert status == 500 and reply["error"]["code"] == "storage_full", reply
    assert list(small_disk.glob("*.part")) == []
    assert server.curl(server.url + "/health")[1] == 200


def test_generate_on_a_full_disk_leaves_nothing(small_disk):
    made = generate("--model-path", "fake:", "--output-path", small_disk, "--width", 640,
                    "--height", 480, "--num-frames", 121, "--output-compression", 100)
    out, err = made.communicate(timeout=60)
    assert made.returncode == 1 and out == "" and "No space left" in err
    assert list(small_disk.iterdir()) == []


def fill(disk):
    with open(disk / "fill", "wb", buffering=0) as rest, pytest.raises(OSError):
        while True:
            rest.write(bytes(1024))


def test_figures_on_a_full_disk_fail(start, small_disk, tmp_path):
    figures = small_disk / "figures.json"
    figures.write_text("old")
    fill(small_disk)
    server = start("--model-path", "fake:")
    for command in [["generate", "--model-path", "fake:", "--prompt", "a", "--perf-dump-path"],
                    ["bench", "--base-url", server.url, "--num-prompts", "1", "--output-file"]]:
        made = subprocess.run([SERVE, *command, figures], capture_output=True, text=True,
                              timeout=60, cwd=tmp_path)
        assert made.returncode == 1 and "No space left" in made.stderr, made
        assert figures.read_text() == "old"


def test_generate_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in [tmp_path / "file", tmp_path / "file/below"]:
        made = generate("--model-path", "fake:", "--output-path", folder)
        out, err = made.communicate(timeout=30)
        assert made.returncode == 2 and out == "" and f"--output-path: {folder}: " in err, err


def test_generate_interrupted_leaves_nothing(tmp_path):
    for slow in ["step_ms=200,steps=50", "load_ms=20000"]:
        made = generate("--model-path", f"fake:{slow}", "--output-path", tmp_path)
        time.sleep(0.5)
        began = time.monotonic()
        made.send_signal(signal.SIGINT)
        out, _ = made.communicate(timeout=30)
        assert made.returncode != 0 and out == "" and time.monotonic() - began < 5
        assert list(tmp_path.iterdir()) == []


def begin_to_make(folder):
    """A `serve generate` that takes for ever, and its work folder."""
    before = set(folder.glob(".making-*"))
    made = generate("--model-path", "fake:step_ms=1000,steps=1000", "--output-path", folder)
    end = time.monotonic() + 60
    while not (its := {lock.parent for lock in folder.glob(".making-*/.lock")} - before):
        assert made.poll() is None and time.monotonic() < end, made.communicate()
        time.sleep(0.02)
    return made, its.pop()


def killed_while_it_makes(folder):
    """What a killed `serve generate` leaves in a folder."""
    made, left = begin_to_make(folder)
    made.kill()
    made.communicate()
    return left


def test_a_killed_generate_leaves_nothing_after_the_next_start(start, tmp_path):
    living, its_folder = begin_to_make(tmp_path)

    left = killed_while_it_makes(tmp_path)
    assert left.exists()
    made = generate("--model-path", "fake:", "--output-path", tmp_path)
    assert made.communicate(timeout=60)[0] != "" and made.returncode == 0
    assert not left.exists() and its_folder.exists()

    left = killed_while_it_makes(tmp_path)
    start("--model-path", "fake:", "--output-path", tmp_path)
    assert not left.exists() and its_folder.exists()

    living.send_signal(signal.SIGINT)
    _, err = living.communicate(timeout=60)
    assert "interrupted" in err and not its_folder.exists(), err


def test_a_working_folder_that_is_gone(tmp_path):
    (tmp_path / "gone").mkdir()
    made = subprocess.run(["sh", "-c", "cd gone && rmdir ../gone && exec \"$0\" generate "
                           "--model-path fake: --prompt a", SERVE],
                          capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert made.returncode == 2 and made.stderr.count("\n") == 1, made


def test_two_generate_into_one_folder(tmp_path):
    both = [generate("--model-path", "fake:step_ms=50", "--output-path", tmp_path, "--seed", 1, 2,
                     "--num-outputs", 2) for _ in range(2)]
    named = [line for made in both for line in made.communicate(timeout=60)[0].split()]
    assert [made.returncode for made in both] == [0, 0]
    assert sorted(named) == sorted(str(p) for p in tmp_path.iterdir()) and len(named) == 4


def test_a_second_server_in_one_folder_is_refused(start):
    server = start("--model-path", "fake:")
    made = subprocess.run([SERVE, "--model-path", "fake:", "--port", "0", "--output-path",
                           server.folder / "outputs"], capture_output=True, text=True, timeout=30)
    assert made.returncode != 0 and "in use by another process" in made.stderr


def test_a_killed_server_leaves_nothing_after_the_next_start(start):
    server = start("--model-path", "fake:decode_ms=100,frames=81")
    job, _ = post(server, {"prompt": "a"})
    outputs = server.folder / "outputs"
    server.wait_for(lambda: list(outputs.glob("*.part")))
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    again = start("--model-path", "fake:", "--output-path", outputs)
    assert list(outputs.glob("*.part")) == []
    assert again.curl(f"{again.url}/v1/videos/{job['id']}")[1] == 404


def test_hostile_bytes_are_answered(start):
    server = start("--model-path", "fake:")
    form, url = "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--x--\r\n'
    for kind, body, param in [
            ("application/json", b"", None), ("application/json", b"\xff\xfe", None),
            ("application/json", b"[" * 100_000, None), ("application/json", b"[]", None),
            ("application/json", b'{"a":' * 100_000, None),
            ("application/json", b'{"prompt": "\xff"}', "prompt"),
            ("application/json", b'{"prompt": "\\ud800"}', "prompt"),
            ("application/json", b'{"prompt": "a", "flow_shift": 1e400}', "flow_shift"),
            ("application/json", b'{"prompt": "a", "seed": [[1]]}', "seed"),
            (form, b"", None), (form, b"--x", None), (form, b"\0" * 100_000, None),
            (form, part % (b"prompt", b"\xff"), "prompt"), (form, part % (b"", b"a"), None),
            (url, b"prompt=%ff", "prompt"), (url, b"prompt=%f", None),
            (url, b"prompt=a&prompt=b", "prompt"), (url, b"prompt=a&seed=" + b"9" * 10_000, "seed")]:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
        connection.request("POST", "/v1/videos", body, {"Content-Type": kind})
        reply = connection.getresponse()
        error = json.loads(reply.read())["error"]
        assert (reply.status, error["param"]) == (400, param), (body[:80], reply.status, error)
    assert server.curl(server.url + "/health")[1] == 200
