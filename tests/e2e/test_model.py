"""Random calls to the server and to a reference in memory, which must agree; clients that vanish in between."""

import http.client
import json
import os
import pathlib
import random
import socket
import time
import urllib.parse

from conftest import Server
from reference import Reference, differences

CALLS = int(os.environ.get("REEL_CALLS", 1000))
SOAK = int(os.environ.get("REEL_SOAK_SECONDS", 0))  # or so long, 20 calls a second at most
MODEL = "fake:step_ms=100,steps=1000"  # who is not cancelled goes on for 100 s
LONGEST = 30  # seconds that one is let go on
JSON = {"Content-Type": "application/json"}
OWNERS = ("alice", "bob")


class Calls:
    def __init__(self, server, seed):
        self.server, self.random, self.reference = server, random.Random(seed), Reference()
        self.host, _, port = server.url.removeprefix("http://").partition(":")
        self.port, self.made, self.watchers, self.contents = int(port), 0, [], {}
        self.connections = {owner: http.client.HTTPConnection(self.host, self.port, timeout=60)
                            for owner in OWNERS}
        self.running_since = None, 0

    def key(self, owner):
        return {"Authorization": f"Bearer sk-{owner}"}

    def ask(self, owner, method, path, body=None, headers=None):
        """Status, headers and bytes of a reply, which is one that is described."""
        self.made += 1
        connection = self.connections[owner]
        connection.request(method, path, body, {**self.key(owner), **(headers or {})})
        reply = connection.getresponse()
        content, kind = reply.read(), reply.headers["Content-Type"] or ""
        text = content.decode() if "json" in kind else ""
        self.server.contract.check(method, path, reply.status, kind, text)
        return reply.status, reply.headers, content

    def get(self, owner, path):
        status, _, content = self.ask(owner, "GET", path)
        return status, json.loads(content)

    def refused(self, reply, status, code, param=None):
        got, _, content = reply
        error = json.loads(content)["error"]
        assert (got, error["code"], error["param"]) == (status, code, param), error

    def missing(self, reply):
        self.refused(reply, 404, "not_found", "id")

    def agrees(self, owner, path, expected):
        """What the server is still about to do, it may do first."""
        end = time.monotonic() + 60
        while True:
            status, got = self.get(owner, path)
            found = list(differences(expected(), got))
            if status == 200 and not found:
                return
            assert time.monotonic() < end, (path, status, found)
            time.sleep(0.005)

    def change(self, what, *arguments, **more):
        """Something that changes the reference; waits until the server has followed."""
        before = self.reference.view()
        made = what(*arguments, **more)
        for id, state in self.reference.view().items():
            if before.get(id) != state:
                self.see(self.reference.jobs[id])
        return made

    def see(self, job):
        self.agrees(job.owner, f"/v1/videos/{job.id}", lambda: self.reference.video(job))

    def some_job(self):
        """An owner, an id and the job of that owner, if there is one."""
        known = list(self.reference.jobs) if self.random.random() < 0.85 else list(self.reference.places)[-5000:]
        id = self.random.choice(known) if known else "video_" + "0" * 32
        owner = self.reference.places.get(id, ("alice",))[0]
        if self.random.random() < 0.1:
            owner = self.random.choice(OWNERS)
        return owner, id, self.reference.find(owner, id)

    # The calls, each with what must come of it.

    def fields(self, owner, quick):
        pick = self.random.choice
        fields = {"prompt": pick(["a cat", "a \"red\" ball; 球", "a&b=c+d%20"]), "size": pick(["64x48", "32x32"]),
                  "num_frames": pick([1, 5, 9]), "num_inference_steps": 1 if quick else 1000,
                  # Priorities of two keys never meet: their turns are another test's.
                  "priority": 2 * pick([0, 1, 2]) + OWNERS.index(owner)}
        for key, value in {"seed": self.random.randrange(2**63), "n": pick([1, 2]), "model": "any"}.items():
            if self.random.random() < 0.5:
                fields[key] = value
        return fields

    def encoded(self, fields):
        how = self.random.choice(["json", "text", "urlencoded", "multipart"])
        if how == "json":
            return json.dumps(fields), JSON
        texts = {key: str(value) for key, value in fields.items()}
        if how == "text":
            return json.dumps(texts), JSON
        if how == "urlencoded":
            return urllib.parse.urlencode(texts), {"Content-Type": "application/x-www-form-urlencoded"}
        parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
                        for key, value in texts.items())
        return (parts + "--b--\r\n").encode(), {"Content-Type": "multipart/form-data; boundary=b"}

    def is_created(self, reply, owner, fields, **more):
        status, headers, content = reply
        video = json.loads(content)
        assert status == 200 and "Idempotency-Replayed" not in headers, video
        assert video["id"] not in self.reference.places and video["status"] == "queued"
        return self.change(self.reference.submit, video["id"], owner, fields, **more)

    def submit(self):
        owner = self.random.choice(OWNERS)
        fields = self.fields(owner, quick=self.random.random() < 0.6)
        if self.random.random() < 0.1:
            fields.update(num_inference_steps=1000, timeout_s=0.01)
        self.is_created(self.ask(owner, "POST", "/v1/videos", *self.encoded(fields)), owner, fields)

    def submit_again(self):
        owner, key = self.random.choice(OWNERS), self.random.choice("abc")
        known = self.reference.keys.get((owner, key))
        fields = self.fields(owner, quick=True)
        if known and self.random.random() < 0.7:
            fields = known[0]
        reply = self.ask(owner, "POST", "/v1/videos", json.dumps(fields), {**JSON, "Idempotency-Key": key})
        if not known:
            job = self.is_created(reply, owner, fields)
            self.reference.keys[owner, key] = fields, job.id
        elif fields == known[0]:
            assert reply[0] == 200 and reply[1]["Idempotency-Replayed"] == "true"
            assert json.loads(reply[2])["id"] == known[1]
        else:
            self.refused(reply, 422, "idempotency_key_reused", "idempotency-key")

    def remix(self):
        owner, id, source = self.some_job()
        asked = {"prompt": "a dog", "priority": OWNERS.index(owner)}
        reply = self.ask(owner, "POST", f"/v1/videos/{id}/remix", json.dumps(asked), JSON)
        if not source:
            return self.missing(reply)
        fields = {**source.fields, **asked}
        for key in ("n", "timeout_s"):
            fields.pop(key, None)
        self.is_created(reply, owner, fields, remixed_from=id)

    def retrieve(self):
        owner, id, job = self.some_job()
        self.see(job) if job else self.missing(self.ask(owner, "GET", f"/v1/videos/{id}"))

    def list(self):
        owner, after, _ = self.some_job()
        query = {"limit": self.random.choice([1, 2, 5, 20, 100]), "order": self.random.choice(["asc", "desc"])}
        if self.random.random() < 0.5:
            query["after"] = after

        def expected():
            ids, more = self.reference.page(owner, query.get("after"), query["limit"], query["order"])
            videos = [self.reference.video(self.reference.jobs[id]) for id in ids]
            return {"object": "list", "has_more": more, "first_id": ids[0] if ids else None,
                    "last_id": ids[-1] if ids else None,
                    "data": lambda got: len(got) == len(videos) and not any(
                        list(differences(video, one)) for video, one in zip(videos, got))}
        self.agrees(owner, "/v1/videos?" + urllib.parse.urlencode(query), expected)

    def cancel(self):
        owner, id, job = self.some_job()
        reply = self.ask(owner, "POST", f"/v1/videos/{id}/cancel")
        if not job:
            return self.missing(reply)
        self.change(self.reference.end, job, "cancelled")
        assert reply[0] == 200 and not list(differences(self.reference.video(job), json.loads(reply[2])))

    def delete(self):
        owner, id, job = self.some_job()
        reply = self.ask(owner, "DELETE", f"/v1/videos/{id}")
        if not job:
            return self.missing(reply)
        expected = self.change(self.reference.remove, job)
        found = list(differences(expected, json.loads(reply[2])))
        assert reply[0] == 200 and not found, found

    def content(self):
        owner, id, job = self.some_job()
        variant = self.random.choice(["", "video", "0", "1", "9", "x", "thumbnail", "spritesheet"])
        path = f"/v1/videos/{id}/content" + (f"?variant={variant}" if variant else "")
        reply = self.ask(owner, "GET", path)
        if not job:
            return self.missing(reply)
        if job.status != "completed":
            return self.refused(reply, 404, "video_not_ready")
        if variant in ("9", "x") or (variant == "1" and job.fields.get("n", 1) == 1):
            return self.refused(reply, 404, "not_found", "variant")
        status, headers, whole = reply
        assert status == 200 and len(whole) == int(headers["Content-Length"])
        assert self.contents.setdefault((id, variant), whole) == whole
        assert int(self.ask(owner, "HEAD", path)[1]["Content-Length"]) == len(whole)
        first, last = sorted(self.random.randrange(len(whole)) for _ in range(2))
        status, _, part = self.ask(owner, "GET", path, headers={"Range": f"bytes={first}-{last}"})
        assert status == 206 and part == whole[first:last + 1]

    def image(self):
        owner, n = self.random.choice(OWNERS), self.random.choice([1, 2])
        asked = {"prompt": "a fox", "n": n, "size": "32x32", "num_inference_steps": 1, "priority": 100,
                 "response_format": "url"}
        status, _, content = self.ask(owner, "POST", "/v1/images/generations", json.dumps(asked), JSON)
        made = json.loads(content)
        assert status == 200 and len(made["data"]) == n, made
        assert self.ask(owner, "GET", f"/v1/images/{made['id']}/content?variant={n - 1}")[0] == 200
        self.missing(self.ask(owner, "GET", f"/v1/videos/{made['id']}"))
        other = OWNERS[1 - OWNERS.index(owner)]
        self.missing(self.ask(other, "GET", f"/v1/images/{made['id']}/content"))

    def sync(self):
        owner = self.random.choice(OWNERS)
        fields = {**self.fields(owner, quick=True), "priority": 100}
        status, headers, content = self.ask(owner, "POST", "/v1/videos/sync", *self.encoded(fields))
        assert status == 200 and len(content) == int(headers["Content-Length"])
        job = self.change(self.reference.submit, headers["X-Video-Id"], owner, fields)
        self.contents[job.id, ""] = content

    def stats(self):
        counts, none = self.reference.counts(), {"queued": 0, "in_progress": 0}
        end = time.monotonic() + 60
        while (jobs := self.get("alice", "/stats")[1]["jobs"]) != {"video": counts, "image": none}:
            assert time.monotonic() < end, (jobs, counts)

    def wrong(self):
        path, body, param = self.random.choice([
            ("/v1/videos", {}, "prompt"), ("/v1/videos", {"prompt": "a", "size": "big"}, "size"),
            ("/v1/videos/sync", {"prompt": "a", "seed": -1}, "seed"),
            ("/v1/videos", {"prompt": "a", "priority": 101}, "priority"),
            ("/v1/images/generations", {"prompt": "a", "n": 11}, "n")])
        self.refused(self.ask("bob", "POST", path, json.dumps(body), JSON), 400, "invalid_request", param)
        limit = self.random.choice(["0", "101", "x"])
        self.refused(self.ask("bob", "GET", f"/v1/videos?limit={limit}"), 400, "invalid_request", "limit")
        self.refused(self.ask("alice", "PUT", "/v1/videos"), 405, "method_not_allowed")

    # Clients that do not wait for their reply.

    def send(self, owner, request, body=b"", **headers):
        one = socket.create_connection((self.host, self.port))
        headers = {"Host": "localhost", **self.key(owner), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        one.sendall(f"{request} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return one

    def leave_half(self):
        path = self.random.choice(["/v1/videos", "/v1/videos/sync"])
        one = self.send("alice", f"POST {path}", b'{"prompt": "a c', **{"Content-Length": 100})
        if self.random.random() < 0.5:
            one.shutdown(socket.SHUT_WR)
        one.close()

    def leave_submitted(self):
        owner, path = self.random.choice(OWNERS), self.random.choice(["/v1/videos", "/v1/videos/sync"])
        fields = self.fields(owner, quick=path == "/v1/videos")
        body = json.dumps(fields).encode()
        self.send(owner, f"POST {path}", body, **JSON, **{"Content-Length": len(body)}).close()
        end = time.monotonic() + 60
        while True:
            newest = self.get(owner, "/v1/videos?limit=1")[1]["first_id"]
            if newest and newest not in self.reference.places:
                break
            assert time.monotonic() < end, "a request whose client left was not carried out"
        self.change(self.reference.submit, newest, owner, fields,
                    error="cancelled" if path.endswith("sync") else None)

    def leave_download(self):
        owner, id, _ = self.some_job()
        self.send(owner, f"GET /v1/videos/{id}/content").close()

    def watch(self):
        owner, id, _ = self.some_job()
        self.watchers.append(self.send(owner, self.random.choice(["GET /v1/events", f"GET /v1/videos/{id}/events"])))
        if len(self.watchers) > 5:
            self.watchers.pop(self.random.randrange(5)).close()

    def next(self):
        running, since = self.running_since
        if self.reference.running is not running:
            self.running_since = self.reference.running, time.monotonic()
        elif running and time.monotonic() - since > LONGEST:
            self.ask(running.owner, "POST", f"/v1/videos/{running.id}/cancel")
            self.change(self.reference.end, running, "cancelled")
        likely = {self.submit: 20, self.retrieve: 20, self.list: 12, self.cancel: 8, self.content: 8, self.remix: 4,
                  self.submit_again: 4, self.delete: 18, self.stats: 2, self.sync: 2, self.image: 2, self.wrong: 2,
                  self.leave_half: 2, self.leave_submitted: 3, self.leave_download: 2, self.watch: 2}
        if len(self.reference.jobs) > 40:
            likely[self.delete] = 80
        self.random.choices(list(likely), likely.values())[0]()

    def end(self):
        for job in list(self.reference.jobs.values()):
            self.ask(job.owner, "DELETE", f"/v1/videos/{job.id}")
            self.reference.remove(job)
        for watcher in self.watchers:
            watcher.close()
        self.stats()


class Growth:
    """What a process holds, every minute; memory may grow in the first tenth of the time."""

    def __init__(self, pid, log):
        self.process, self.begin, self.minutes = pathlib.Path(f"/proc/{pid}"), time.monotonic(), []
        self.log = open(log, "w", encoding="utf-8", buffering=1)
        self.log.write("minute,calls,rss_kib,files,threads,cpu_seconds\n")

    def seconds(self):
        return time.monotonic() - self.begin

    def note(self, calls):
        if self.seconds() < 60 * len(self.minutes):
            return
        status = dict(line.split(":", 1) for line in (self.process / "status").read_text().splitlines())
        times = (self.process / "stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        rss = int(status["VmRSS"].split()[0])
        self.log.write(f"{len(self.minutes)},{calls},{rss},{len(list((self.process / 'fd').iterdir()))},"
                       f"{status['Threads'].strip()},{cpu:.1f}\n")
        self.minutes.append(rss)

    def is_bounded(self):
        early = self.minutes[:len(self.minutes) // 10 + 1]
        return max(self.minutes) - max(early) < 16 << 10


def test_random_calls(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{owner}:sk-{owner}\n" for owner in OWNERS))
    server: Server = start("--model-path", MODEL, "--api-key-file", keys)
    seed = int(os.environ.get("REEL_SEED", random.randrange(2**32)))
    print(f"REEL_SEED={seed} REEL_CALLS={CALLS} REEL_SOAK_SECONDS={SOAK}")
    calls = Calls(server, seed)
    open_files = pathlib.Path(f"/proc/{server.process.pid}/fd")
    for warm in (calls.sync, calls.image, calls.wrong):
        warm()
    calls.end()
    files = len(list(open_files.iterdir()))
    growth = Growth(server.process.pid, os.environ.get("REEL_SOAK_LOG", tmp_path / "growth.csv"))
    while growth.seconds() < SOAK if SOAK else calls.made < CALLS:
        growth.note(calls.made)
        calls.next()
        if SOAK:
            time.sleep(max(0, calls.made / 20 - growth.seconds()))
    calls.end()
    assert growth.is_bounded(), growth.minutes
    server.wait_for(lambda: len(list(open_files.iterdir())) == files)
    assert [path.name for path in (server.folder / "outputs").iterdir() if path.name.startswith("video_")] == []
    assert server.stop() == 0
