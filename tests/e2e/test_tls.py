"""TLS, as curl, openssl and the OpenAI SDK speak it."""

import json
import re
import shutil
import signal
import ssl
import subprocess

import openai
import pytest

from conftest import SERVE
from test_server import poll, post


def make_certificate(folder, name):
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths


@pytest.fixture
def files(tmp_path):
    return make_certificate(tmp_path, "first")


@pytest.fixture
def server(start, files):
    return start("--model-path", "fake:step_ms=5", "--tls-cert", files[0], "--tls-key", files[1])


def s_client(server, *flags):
    return subprocess.run(["openssl", "s_client", "-connect", server.url.removeprefix("https://"),
                           *flags], input=b"", capture_output=True, timeout=60)


def test_a_video_by_curl(server):
    job = poll(server, post(server, {"prompt": "a"})[0])
    assert job["url"] == f"{server.url}/v1/videos/{job['id']}/content"
    made = subprocess.run(["curl", "-sS", *server.trust, job["url"]], capture_output=True, check=True)
    assert made.stdout[4:8] == b"ftyp"
    part = subprocess.run(["curl", "-sS", *server.trust, "-r", "4-7", job["url"]],
                          capture_output=True, check=True)
    assert part.stdout == b"ftyp"


def test_the_sdk(server, files):
    trust = ssl.create_default_context(cafile=files[0])
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0,
                           http_client=openai.DefaultHttpxClient(verify=trust))
    video = client.videos.create_and_poll(prompt="a", model="fake", poll_interval_ms=20)
    assert client.videos.download_content(video.id).read()[4:8] == b"ftyp"
    events = list(client.images.generate(prompt="a", size="64x48", stream=True))
    assert [e.type for e in events] == ["image_generation.completed"]


def test_versions(server, files):
    for version in ("-tls1_2", "-tls1_3"):
        made = s_client(server, version, "-CAfile", files[0], "-alpn", "h2,http/1.1")
        assert b"Verification: OK" in made.stdout and b"ALPN protocol: http/1.1" in made.stdout
    assert s_client(server, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0").returncode != 0


def test_plain_http_is_told_so(server):
    made = subprocess.run(["curl", "-sS", "-i", server.url.replace("https:", "http:") + "/health"],
                          capture_output=True, check=True, text=True).stdout
    head, _, body = made.partition("\n\n" if "\r\n" not in made else "\r\n\r\n")
    assert " 400 " in head and "https://" in json.loads(body)["error"]["message"]


def test_sighup_reads_the_certificate_again(server, files, tmp_path):
    def name():
        return re.search(r"subject=CN = (\w+)", s_client(server).stdout.decode())[1]

    def hang_up(event):
        seen = server.log.count(event)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.log.count(event) > seen)
    assert name() == "first"
    for new, old in zip(make_certificate(tmp_path, "second"), files):
        shutil.copy(new, old)
    hang_up("server.read_again what=certificate")
    assert name() == "second"
    files[0].write_text("broken")
    hang_up("server.not_read_again what=certificate")
    assert name() == "second"
    assert server.stop() == 0


def test_wrong_files_end_the_start(files, tmp_path):
    other = make_certificate(tmp_path, "other")
    for flags, why in [(["--tls-cert", files[0]], "--tls-cert requires --tls-key"),
                       (["--tls-key", files[1]], "--tls-key requires --tls-cert"),
                       (["--tls-cert", "none", "--tls-key", files[1]], "--tls-cert: none: cannot"),
                       (["--tls-cert", files[0], "--tls-key", other[1]], "--tls-key: "),
                       (["--tls-cert", files[1], "--tls-key", files[1]], "--tls-cert: ")]:
        made = subprocess.run([SERVE, "--model-path", "fake:", "--port", "0", *flags], text=True,
                              capture_output=True, timeout=30, cwd=tmp_path)
        assert made.returncode == 2 and made.stderr.count("\n") == 1, made.stderr
        assert made.stderr.startswith(f"serve: {why}"), made.stderr
