"""API keys, as operators and the OpenAI SDK see them."""

import json
import signal
import subprocess

import openai
import pytest

from conftest import SERVE


def client_of(server, key):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0)


def write(path, text):
    path.write_text(text)
    return path


@pytest.fixture
def keys(tmp_path):
    return write(tmp_path / "keys", "alice:sk-canary-1\nsk-canary-2 # nobody's name\n")


def test_the_sdk_with_keys(start, keys):
    server = start("--model-path", "fake:step_ms=5", "--api-key-file", keys)
    for key in ("sk-wrong", "none"):
        with pytest.raises(openai.AuthenticationError) as error:
            client_of(server, key).videos.list()
        assert error.value.code == "invalid_api_key" and error.value.request_id
    alice, other = (client_of(server, f"sk-canary-{i}") for i in (1, 2))
    video = alice.videos.create_and_poll(prompt="a", model="fake", poll_interval_ms=20)
    assert video.status == "completed"
    assert alice.videos.download_content(video.id).read()[4:8] == b"ftyp"
    for ask in (other.videos.retrieve, other.videos.delete, other.videos.download_content,
                lambda id: other.videos.remix(id, prompt="b")):
        with pytest.raises(openai.NotFoundError):
            ask(video.id)
    assert list(other.videos.list()) == [] and [v.id for v in alice.videos.list()] == [video.id]
    whole = subprocess.run(["curl", "-sS", video.url], capture_output=True, check=True).stdout
    assert whole[4:8] == b"ftyp"
    assert server.curl("-H", "Authorization: Bearer sk-canary-1", "-X", "DELETE",
                       f"{server.url}/v1/videos/{video.id}")[1] == 200
    assert "canary" not in server.log


def test_sighup_reads_the_keys_again(start, keys):
    server = start("--model-path", "fake:", "--api-key-file", keys)

    def status(key):
        return server.curl("-H", f"Authorization: Bearer {key}", server.url + "/v1/models")[1]

    def hang_up(event):
        seen = server.log.count(event)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.log.count(event) > seen)
    assert status("sk-canary-1") == 200
    write(keys, "alice:sk-canary-3\n")
    hang_up("server.read_again what=keys")
    assert status("sk-canary-1") == 401 and status("sk-canary-3") == 200
    for broken in ("", "alice:x\nalice:y\n"):
        write(keys, broken)
        hang_up("server.not_read_again what=keys")
        assert status("sk-canary-3") == 200
    assert server.stop() == 0


def test_wrong_keys_end_the_start(tmp_path):
    for text, why in [("", "found none"), ("a:1\na:2\n", "line 2"), ("a b\n", "line 1"), (None, "keys")]:
        path = tmp_path / "keys"
        path.unlink(missing_ok=True)
        if text is not None:
            write(path, text)
        made = subprocess.run([SERVE, "--model-path", "fake:", "--port", "0", "--api-key-file", path],
                              capture_output=True, timeout=30, cwd=tmp_path, text=True)
        assert made.returncode == 2 and made.stderr.count("\n") == 1, made.stderr
        assert made.stderr.startswith(f"serve: --api-key-file: {path}: ") and why in made.stderr


def test_urls_are_signed_only_with_keys(start):
    server = start("--model-path", "fake:")
    made = json.loads(server.curl(server.url + "/v1/images/generations",
                                  "-d", '{"prompt": "a", "response_format": "url"}')[0])
    assert made["data"][0]["url"].endswith("/content")


def test_a_page_of_a_listed_site(start, keys):
    server = start("--model-path", "fake:", "--api-key-file", keys,
                   "--cors-origin", "https://app.example")

    def headers_of(*arguments):
        made = subprocess.run(["curl", "-sS", "-o", "-", "-D", "-", *arguments], text=True,
                              capture_output=True, check=True).stdout.lower()
        return made
    preflight = headers_of("-X", "OPTIONS", "-H", "Origin: https://app.example", "-H",
                           "Access-Control-Request-Method: POST", server.url + "/v1/videos")
    assert " 204 " in preflight and "access-control-allow-origin: https://app.example" in preflight
    reply = headers_of("-H", "Origin: https://other.example", server.url + "/health")
    assert "access-control-allow-origin" not in reply and "vary: origin" in reply


def test_an_open_address_without_keys_is_warned_of(start, keys):
    mapped = "::ffff:127.0.0.1"  # loopback in a spelling that is not taken for it
    assert "http.open_to_all" in start("--model-path", "fake:", "--host", mapped, ready=False).log
    for flags in [(), ("--host", mapped, "--api-key-file", keys)]:
        assert "http.open_to_all" not in start("--model-path", "fake:", *flags, ready=False).log
