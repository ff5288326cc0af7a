"""The real binary, started on a free port, its log kept for the message of a failing test."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

from contract import Contract

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVE = os.environ["REEL_SERVE"]
WRITTEN_OUT = "%{http_code} %{method} %{url} %{content_type}"
TINY = ROOT / "tests/goldens/models/t2v-tiny"


class Server:
    contract = None  # what every reply must keep to

    def __init__(self, folder, *flags, files=None):
        self.folder = folder
        self.log_path = folder / "log"
        flags = [str(flag) for flag in flags]
        tls = "--tls-cert" in flags
        self.trust = ["--cacert", flags[flags.index("--tls-cert") + 1]] if tls else []
        self.log_file = open(self.log_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [SERVE, "--port", "0", "--threads", "1", "--output-path", str(folder / "outputs"),
             *flags],
            stderr=self.log_file, cwd=folder,
            preexec_fn=files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, files)))
        listening = r"http\.listening host=(\S+) port=(\d+)"
        host, port = self.wait_for(lambda: re.search(listening, self.log)).groups()
        self.url = f"{'https' if tls else 'http'}://{host}:{port}"

    @property
    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    def wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            assert self.process.poll() is None, f"serve ended: {self.log}"
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s: {self.log}")

    def curl(self, *arguments):
        """The body's text and the status of a curl command, whose reply is one that is described."""
        made = subprocess.run(["curl", "-sS", *self.trust, "-w", "\n" + WRITTEN_OUT, *arguments],
                              capture_output=True, check=True, timeout=60)
        body, _, rest = made.stdout.decode().rpartition("\n")
        status, method, url, content_type = rest.split(" ", 3)
        if self.contract:
            self.contract.check(method, url.removeprefix(self.url), int(status), content_type, body)
        return body, int(status)

    def wait_until_ready(self):
        self.wait_for(lambda: self.curl(self.url + "/health")[1] == 200)
        return self

    def stop(self):
        """The exit status after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.log_file.close()
        assert not re.search("Sanitizer:|: runtime error:", self.log), self.log
        return status


needs_engine = pytest.mark.skipif("REEL_NO_ENGINE" in os.environ, reason="built without libtorch")


@pytest.fixture(scope="session", autouse=True)
def described(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("described"), "--model-path", "fake:")
    Server.contract = Contract(json.loads(server.curl(server.url + "/openapi.json")[0]))
    server.stop()


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:
        def run(*flags, ready=True, files=None):
            folder = tmp_path / f"serve-{time.monotonic_ns()}"
            folder.mkdir()
            server = Server(folder, *flags, files=files)
            stack.callback(server.stop)
            return server.wait_until_ready() if ready else server
        yield run


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A server of the tiny model, shared by a file's tests."""
    if "REEL_NO_ENGINE" in os.environ:
        pytest.skip("built without libtorch")
    server = Server(tmp_path_factory.mktemp("tiny"), "--model-path", TINY, "--dit-precision", "fp32")
    yield server.wait_until_ready()
    assert server.stop() == 0
