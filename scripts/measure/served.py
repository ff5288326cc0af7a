"""A `serve` of its own, asked over one kept HTTP connection."""

import http.client
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Server:
    def __init__(self, model, *flags, binary=ROOT / "build" / "release" / "serve"):
        self.folder = tempfile.TemporaryDirectory()
        self.log = open(Path(self.folder.name) / "log", "w+")
        command = [binary, "--model-path", model, "--port", "0", "--output-path", self.folder.name, *flags]
        began = time.monotonic()
        self.process = subprocess.Popen([str(c) for c in command], stderr=self.log, stdout=self.log)
        self._wait()
        self.ready_s = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def _wait(self):
        self.connection = None
        while self.process.poll() is None:
            log = Path(self.log.name).read_text()
            if not self.connection and (found := re.search(r"http\.listening host=(\S+) port=(\d+)", log)):
                self.connection = http.client.HTTPConnection(found[1], int(found[2]))
            if self.connection and self.ask("GET", "/health")[0] == 200:
                return
            time.sleep(0.005)
        raise SystemExit(Path(self.log.name).read_text())

    def ask(self, method, path, body=None):
        """Status and bytes of the reply."""
        self.connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def events(self):
        """What happens to jobs from now on, until the server ends."""
        connection = http.client.HTTPConnection(self.connection.host, self.connection.port)
        connection.request("GET", "/v1/events")
        for line in connection.getresponse():
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))

    def start(self, body):
        """The video object of a new job."""
        status, reply = self.ask("POST", "/v1/videos", body)
        if status != 200:
            raise SystemExit(f"{status}: {reply.decode()}")
        return json.loads(reply)

    def finished(self, job, every_s):
        while job["status"] not in ("completed", "failed"):
            time.sleep(every_s)
            job = json.loads(self.ask("GET", f"/v1/videos/{job['id']}")[1])
        if job["status"] == "failed":
            raise SystemExit(f"{job['id']}: {job}")
        return job

    def videos(self, bodies, folder):
        """Makes a video of each body: yields its index and the path of its MP4, in order."""
        jobs = [self.start(body) for body in bodies]
        for index, job in enumerate(jobs):
            self.finished(job, 0.02)
            path = Path(folder) / f"{index:03}.mp4"
            path.write_bytes(self.ask("GET", f"/v1/videos/{job['id']}/content")[1])
            yield index, path
