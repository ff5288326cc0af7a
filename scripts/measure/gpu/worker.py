"""A bench in a process of its own, asked line by line: tests/bench/bench.h, peer.py."""

import functools
import json
import select
import subprocess
import tempfile


LOAD_S = 200


class Failed(Exception):
    pass


class Worker:
    """Started at once."""

    def __init__(self, command):
        self.command = [str(word) for word in command]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @functools.cached_property
    def ready(self):
        """What it says first, when its weights are there."""
        return self._answer(LOAD_S)

    def ask(self, limit_s, **what):
        self.ready
        try:
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._answer(limit_s)

    def _answer(self, limit_s):
        readable, _, _ = select.select([self.process.stdout], [], [], limit_s)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            self.process.kill()
            code = self.process.wait()
            self.log.seek(0)
            tail = self.log.read().decode(errors="replace").strip().splitlines()[-6:]
            why = f"ended with {code}" if readable else f"no answer in {limit_s} s"
            raise Failed("\n".join([f"{self.command[0].rsplit('/', 1)[-1]}: {why}", *tail]))
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
