"""What the server adds to each job's time, and how long jobs wait for each other. See tests/bench/README.md."""

import argparse
import concurrent.futures
import json
import random
import statistics
import threading
import time
from pathlib import Path

import machine
import results
import served

ROOT = machine.ROOT
TINY = ROOT / "tests/goldens/models/t2v-tiny"
ONE_THREAD = ("--threads", "1")
JOBS = {  # model, request
    "fake, 64x64x9": ("fake:step_ms=20,steps=5", {"size": "64x64", "num_frames": 9}),
    "tiny, 64x64x9": (TINY, {"size": "64x64", "num_frames": 9, "num_inference_steps": 4}),
    "tiny, 160x96x17": (TINY, {"size": "160x96", "num_frames": 17, "num_inference_steps": 4}),
}
COLUMNS = ("", "mean", "median", "p99")
STEP_MS, LONG_STEPS, SHORT_STEPS, LOAD = 20, 100, 5, 0.6  # of the queue


def overhead_ms(server, request):
    began = time.monotonic()
    job = server.finished(server.start({"prompt": "a fox", "seed": 1, **request}), 0.001)
    return (time.monotonic() - began - job["inference_time_s"]) * 1e3


def row(name, unit, values):
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    mean, median = statistics.mean(values), statistics.median(values)
    return {"name": name, "unit": unit, "mean": mean, "median": median, "p99": p99, "values": values}


def overhead(a):
    starts = []
    for _ in range(a.starts):
        with served.Server(TINY, *ONE_THREAD, binary=a.serve) as server:
            starts.append(server.ready_s)
    yield row("start to ready, tiny model", "s", starts)
    for name, (model, request) in JOBS.items():
        with served.Server(model, *ONE_THREAD, binary=a.serve) as server:
            overhead_ms(server, request)
            yield row(f"beyond the engine, {name}", "ms", [overhead_ms(server, request) for _ in range(a.jobs)])


def mixed_load(a, policy):
    """Seconds from due to done of long and of short jobs, one of eleven long, that come at random, and in the generator."""
    chance = random.Random(1)
    kinds = [kind for _ in range(a.jobs // 11) for kind in chance.sample([*["short"] * 10, "long"], 11)]
    every_s = (LONG_STEPS + 10 * SHORT_STEPS) / 11 * STEP_MS / 1e3 / LOAD
    done = {}

    def watch(server):
        for event in server.events():
            if event["status"] in ("completed", "failed"):
                done[event["id"]] = time.monotonic(), event["inference_time_s"]  # None if it failed

    with served.Server(f"fake:step_ms={STEP_MS},frames=1", "--queue-policy", policy, binary=a.serve) as server:
        threading.Thread(target=watch, args=(server,), daemon=True).start()
        time.sleep(0.5)  # until it listens
        due, jobs = time.monotonic(), []
        for kind in kinds:
            due += chance.expovariate(1 / every_s)
            time.sleep(max(0, due - time.monotonic()))
            steps = LONG_STEPS if kind == "long" else SHORT_STEPS
            jobs.append((server.start({"prompt": kind, "num_inference_steps": steps})["id"], kind, due))
        while len(done) < len(jobs):
            time.sleep(0.1)
        preemptions = json.loads(server.ask("GET", "/stats")[1])["queue"]["preemptions"]
    seconds = {kind: [done[i][0] - due for i, k, due in jobs if k == kind] for kind in ("short", "long")}
    return seconds, preemptions, [done[i][1] for i, kind, _ in jobs if kind == "long"]


def queue(a):
    policies = ("fifo", "shortest")
    with concurrent.futures.ThreadPoolExecutor() as side_by_side:  # so that other load hits both alike
        measured = list(side_by_side.map(lambda policy: mixed_load(a, policy), policies))
    for policy, (seconds, preemptions, at_work) in zip(policies, measured):
        for kind, values in {**seconds, "all": seconds["short"] + seconds["long"]}.items():
            yield row(f"{policy}: {kind} jobs, from due to done ({preemptions} preemptions)", "s", values)
        yield row(f"{policy}: long jobs, in the generator", "s", at_work)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench_server", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("overhead", "queue"), default="overhead")
    parser.add_argument("--serve", default=str(ROOT / "build/release/serve"))
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--jobs", type=int, help="default 100; of the queue 220, a multiple of 11")
    parser.add_argument("--name", help="default: server, or queue")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/bench/results")
    a = parser.parse_args()
    a.jobs = a.jobs or (220 if a.what == "queue" else 100)
    a.name = a.name or ("queue" if a.what == "queue" else "server")

    rows = list(queue(a) if a.what == "queue" else overhead(a))
    words = f"{a.starts} starts, {a.jobs} jobs one after another"
    if a.what == "queue":
        words = (f"{a.jobs} jobs on the fake generator, one of eleven long: {LONG_STEPS} steps of {STEP_MS} ms, "
                 f"{SHORT_STEPS} the others; they come at random, {LOAD:.0%} of what it can do")
    table = [[f"{r['name']}, {r['unit']}", *(f"{r[key]:.3g}" for key in COLUMNS[1:])] for r in rows]
    results.save(a, "scripts/bench_server", words, COLUMNS, table, rows)


main()
