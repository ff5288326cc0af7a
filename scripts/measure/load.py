"""The server under many connections, beside cpp-httplib as it comes. See tests/bench/README.md."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import machine
import results
import served

FILE_BYTES = 50_000_000


def poll(count, every_s, paths="videos"):
    return {"kind": "poll", "count": count, "every_s": every_s, "paths": paths}


LOADS = {
    "1,000 polls every 0.1 s": [poll(1000, 0.1)],
    "4,000 polls every 0.1 s": [poll(4000, 0.1)],
    "5,000 polls every 1 s": [poll(5000, 1)],
    "10,000 idle": [{"kind": "idle", "count": 10_000, "paths": "health"}],
    "/health, 500 that send a byte in 3 s": [poll(10, 0.1, "health"),
                                             {"kind": "trickle", "count": 500, "every_s": 3, "paths": "health"}],
    "100 polls every 0.1 s, 64 downloads of 50 MB": [poll(100, 0.1),
                                                     {"kind": "poll", "count": 64, "every_s": 0, "paths": "content"}],
    "100 polls every 0.1 s, 256 watchers": [poll(100, 0.1), {"kind": "watch", "count": 256, "paths": "events"}],
}
COLUMNS = ("", "server", "a second", "errors", "unanswered", "median, ms", "p99, ms", "most, ms", "CPU s per 10,000",
           "KiB a client", "threads")


class Reel:
    """Jobs that wait behind one that takes minutes, and a completed one, whose file is then made a long one."""

    name = "reel"

    def __init__(self, a):
        model = "fake:step_ms=100,steps=1000,frames=1"
        self.server = served.Server(model, "--max-queue", "10000", "--drain-timeout", "0", binary=a.serve)
        done = self.server.finished(self.server.start({"prompt": "a", "num_inference_steps": 1}), 0.01)
        Path(done["file_path"]).write_bytes(bytes(FILE_BYTES // a.part))
        jobs = [self.server.start({"prompt": "a"})["id"] for _ in range(1000 // a.part)]
        self.port, self.pid = self.server.connection.port, self.server.process.pid
        self.paths = {"videos": [f"/v1/videos/{job}" for job in jobs], "health": ["/health"],
                      "content": [f"/v1/videos/{done['id']}/content"], "events": ["/v1/events"]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()


class Stock:
    """cpp-httplib with its own threads and connections."""

    name = "stock"
    paths = {"videos": ["/v1/videos/a"], "health": ["/health"], "content": ["/v1/videos/a/content"],
             "events": ["/v1/events"]}

    def __init__(self, a):
        self.file = tempfile.NamedTemporaryFile()
        os.truncate(self.file.name, FILE_BYTES // a.part)
        self.process = subprocess.Popen([a.bench / "stock_server", self.file.name], stdout=subprocess.PIPE)
        self.port, self.pid = int(self.process.stdout.readline()), self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.file.close()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid):
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def thread_count(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def measure(a, server, loads):
    """What each load met, and what it cost the server."""
    loads = [{**load, "count": -(-load["count"] // a.part)} for load in loads]
    asked = {"port": server.port, "seconds": a.seconds,
             "loads": [{**load, "paths": server.paths[load["paths"]]} for load in loads]}
    cpu, memory = cpu_seconds(server.pid), memory_kib(server.pid)
    clients = subprocess.Popen([a.bench / "http_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    memories, threads = [], []

    def look():
        while clients.poll() is None:
            memories.append(memory_kib(server.pid))
            threads.append(thread_count(server.pid))
            time.sleep(0.1)
    watcher = threading.Thread(target=look)
    watcher.start()
    found = json.loads(clients.communicate(json.dumps(asked))[0])
    watcher.join()
    return {"cpu_s": cpu_seconds(server.pid) - cpu, "grown_kib": max(memories) - memory, "threads": max(threads),
            "loads": [{**load, **met} for load, met in zip(loads, found)]}


def figure(value):
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"


def rows(a, name, server, run):
    """Of the table, one a load that has replies."""
    answered = [load for load in run["loads"] if load["kind"] != "trickle"]
    alone = answered[0] if len(run["loads"]) == 1 and run["loads"][0]["replies"] else None
    for load in answered:
        what = name if load is answered[0] else {"poll": "– the downloads", "watch": "– their events"}[load["kind"]]
        is_idle = load["kind"] == "idle"
        ms = [None if is_idle else load["ms"][which] for which in ("median", "p99", "most")]
        yield (what, server.name, None if is_idle else load["replies"] / a.seconds, load["errors"], load["unanswered"],
               *ms, run["cpu_s"] / alone["replies"] * 1e4 if alone and not is_idle else None,
               run["grown_kib"] / load["count"] if alone else None, run["threads"])


def problems(name, run):
    """Why a server did not do what it is there for, however long it took."""
    for load in run["loads"]:
        what = f"{name}: {load['count']} {load['kind']}"
        if load["errors"] or load["unanswered"]:
            yield f"{what}: {load['errors']} errors, {load['unanswered']} unanswered"
        if load["kind"] != "trickle" and not load["fewest"]:
            yield f"{what}: one had no reply"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench_load", description=__doc__)
    parser.add_argument("--serve", default=machine.ROOT / "build/release/serve")
    parser.add_argument("--bench", type=Path, default=machine.ROOT / "build/release/bench", help="folder of the clients")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--quick", action="store_true", help="a twentieth of it on our server alone: tells errors only")
    parser.add_argument("--name", default="load")
    parser.add_argument("--out", type=Path, default=machine.ROOT / "tests/bench/results")
    a = parser.parse_args()
    a.part = 20 if a.quick else 1

    table, runs, wrong = [], [], []
    for name, loads in LOADS.items():
        for kind in (Reel,) if a.quick else (Reel, Stock):
            with kind(a) as server:
                run = measure(a, server, loads)
            runs.append({"name": name, "server": server.name, **run})
            table += rows(a, name, server, run)
            if kind is Reel:
                wrong += problems(name, run)
    if not a.quick:
        words = f"each load {a.seconds:g} s, its clients on one thread of the same machine"
        results.save(a, "scripts/bench_load", words, COLUMNS,
                     [[cell if isinstance(cell, str) else figure(cell) for cell in row] for row in table], runs)
    sys.exit("\n".join(wrong) or 0)


main()
