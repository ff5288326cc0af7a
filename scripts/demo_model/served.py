"""A `serve` of its own, asked over HTTP for videos."""

import json
import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Server:
    def __init__(self, model, *flags, binary=ROOT / "build" / "release" / "serve"):
        self.folder = tempfile.TemporaryDirectory()
        self.log = open(Path(self.folder.name) / "log", "w+")
        command = [binary, "--model-path", model, "--port", "0", "--output-path", self.folder.name, *flags]
        self.process = subprocess.Popen([str(c) for c in command], stderr=self.log, stdout=self.log)

    def __enter__(self):
        self.url = self._wait()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def _wait(self):
        while self.process.poll() is None:
            log = Path(self.log.name).read_text()
            if found := re.search(r"http\.listening host=(\S+) port=(\d+)", log):
                url = "http://{}:{}".format(*found.groups())
                try:
                    urllib.request.urlopen(url + "/health").close()
                    return url
                except OSError:
                    pass
            time.sleep(0.05)
        raise SystemExit(Path(self.log.name).read_text())

    def _ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            return reply.read()

    def videos(self, bodies, folder):
        """Makes a video of each body: yields its index and the path of its MP4, in order."""
        ids = [json.loads(self._ask("/v1/videos", body))["id"] for body in bodies]
        for index, name in enumerate(ids):
            while (job := json.loads(self._ask(f"/v1/videos/{name}")))["status"] not in ("completed", "failed"):
                time.sleep(0.02)
            if job["status"] == "failed":
                raise SystemExit(f"{name}: {job}")
            path = Path(folder) / f"{index:03}.mp4"
            path.write_bytes(self._ask(f"/v1/videos/{name}/content"))
            yield index, path
