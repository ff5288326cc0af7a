"""Webhooks, verified by the OpenAI SDK."""

import base64
import http.server
import json
import subprocess
import threading

import openai
import pytest

from conftest import SERVE
from test_server import poll, post

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def receiver():
    """Its URL, the statuses that it gives first, and what it has received."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append((dict(self.headers), body))
            self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
            self.end_headers()

        def log_message(self, *_):
            pass
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.received, server.statuses = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def verified(headers, body):
    """The event, if the SDK trusts it."""
    openai.OpenAI(api_key="none").webhooks.verify_signature(body, headers, secret=SECRET)
    return json.loads(body)


def test_every_end_is_told_and_verified(start, receiver):
    server = start("--model-path", "fake:step_ms=100,steps=20", "--webhook-secret", SECRET,
                   "--private-webhooks")
    receiver.statuses = [500]
    job, status = post(server, {"prompt": "a", "num_inference_steps": 1,
                                "webhook_url": receiver.url})
    assert status == 200
    other, _ = post(server, {"prompt": "a", "extra_body": {"webhook_url": receiver.url}})
    server.curl("-X", "POST", f"{server.url}/v1/videos/{other['id']}/cancel")
    server.wait_for(lambda: len(receiver.received) == 3)
    poll(server, job)
    events = [verified(*one) for one in receiver.received]
    for event in events:
        server.contract.check_value("/components/schemas/WebhookEvent", event)
    assert {(e["type"], e["data"]["id"]) for e in events} == {
        ("video.completed", job["id"]), ("video.failed", other["id"])}
    assert len({e["id"] for e in events}) == 2, "what came again came under its id"
    headers, body = receiver.received[0]
    with pytest.raises(Exception):
        verified(headers, body + b" ")
    server.wait_for(lambda: json.loads(server.curl(server.url + "/stats")[0])["webhooks"]["waiting"]
                    == 0)
    assert server.stop() == 0


def test_the_servers_own_url(start, receiver):
    server = start("--model-path", "fake:", "--webhook-secret", SECRET, "--webhook-url", receiver.url)
    job, _ = post(server, {"prompt": "a"})
    server.wait_for(lambda: receiver.received)
    assert verified(*receiver.received[0])["data"] == {"id": job["id"]}
    capabilities = json.loads(server.curl(server.url + "/v1/capabilities")[0])
    assert capabilities["webhooks"] == ["video.completed", "video.failed"]


def test_a_wrong_url_is_named(start):
    without = start("--model-path", "fake:")
    server = start("--model-path", "fake:", "--webhook-secret", SECRET)
    for asked, url in [(without, "https://example.com/"), (server, "http://127.0.0.1:1/"),
                       (server, "http://169.254.169.254/latest"), (server, "http://localhost/"),
                       (server, "ftp://example.com/"), (server, "x"), (server, 5)]:
        reply, status = post(asked, {"prompt": "a", "webhook_url": url})
        assert status == 400 and reply["error"]["param"] == "webhook_url", (url, reply)
    reply, status = post(server, {"prompt": "a", "webhook_url": "https://example.com/"},
                         "/v1/images/generations")
    assert status == 400 and reply["error"]["param"] == "webhook_url"
    assert json.loads(without.curl(without.url + "/v1/capabilities")[0])["webhooks"] == []


def test_wrong_flags_end_the_start(tmp_path):
    for flags, why in [(["--webhook-secret", "secret"], "expected whsec_"),
                       (["--webhook-secret", "whsec_AAAA"], "expected whsec_"),
                       (["--webhook-secret", SECRET, "--webhook-url", "ftp://a"], "expected http"),
                       (["--webhook-url", "https://a"], "requires --webhook-secret"),
                       (["--private-webhooks"], "requires --webhook-secret")]:
        made = subprocess.run([SERVE, "--model-path", "fake:", "--port", "0", *flags], text=True,
                              capture_output=True, timeout=30, cwd=tmp_path)
        assert made.returncode == 2 and made.stderr.count("\n") == 1, (flags, made.stderr)
        assert why in made.stderr and "secret_" not in made.stderr
