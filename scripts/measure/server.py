"""What the server adds: start to ready, and each job's time beyond the engine's own. See tests/bench/README.md."""

import argparse
import datetime
import json
import shlex
import statistics
import sys
import time
from pathlib import Path

import machine
import served

ROOT = machine.ROOT
TINY = ROOT / "tests/goldens/models/t2v-tiny"
ONE_THREAD = ("--threads", "1")
JOBS = {  # model, request
    "fake, 64x64x9": ("fake:step_ms=20,steps=5", {"size": "64x64", "num_frames": 9}),
    "tiny, 64x64x9": (TINY, {"size": "64x64", "num_frames": 9, "num_inference_steps": 4}),
    "tiny, 160x96x17": (TINY, {"size": "160x96", "num_frames": 17, "num_inference_steps": 4}),
}


def overhead_ms(server, request):
    began = time.monotonic()
    job = server.finished(server.start({"prompt": "a fox", "seed": 1, **request}), 0.001)
    return (time.monotonic() - began - job["inference_time_s"]) * 1e3


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench_server", description=__doc__)
    parser.add_argument("--serve", default=str(ROOT / "build/release/serve"))
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--name", default="server")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/bench/results")
    a = parser.parse_args()

    def row(name, unit, values):
        ordered = sorted(values)
        p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
        return {"name": name, "unit": unit, "median": statistics.median(values), "p99": p99, "values": values}

    starts = []
    for _ in range(a.starts):
        with served.Server(TINY, *ONE_THREAD, binary=a.serve) as server:
            starts.append(server.ready_s)
    rows = [row("start to ready, tiny model", "s", starts)]
    for name, (model, request) in JOBS.items():
        with served.Server(model, *ONE_THREAD, binary=a.serve) as server:
            overhead_ms(server, request)
            rows.append(row(f"beyond the engine, {name}", "ms", [overhead_ms(server, request) for _ in range(a.jobs)]))
    on, commit = machine.machine("cpu"), machine.output("git", "rev-parse", "--short=12", "HEAD")
    load = Path("/proc/loadavg").read_text().split()[0]
    date = datetime.date.today().isoformat()
    command = shlex.join(["scripts/bench_server", *sys.argv[1:]])
    table = "\n".join(f"| {r['name']}, {r['unit']} | {r['median']:.3g} | {r['p99']:.3g} |" for r in rows)
    text = (
        f"# {a.name}\n\n    {command}\n\n{date}, commit {commit}, {on['cpu']}, {on['cores']} cores; load afterwards {load}; "
        f"{a.starts} starts, {a.jobs} jobs one after another.\n\n| | median | p99 |\n|---|---|---|\n{table}\n"
    )
    print(text)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / f"{date}-{a.name}.md").write_text(text)
    found = {"date": date, "command": command, "commit": commit, "machine": on, "load": load, "rows": rows}
    (a.out / f"{date}-{a.name}.json").write_text(json.dumps(found, indent=1) + "\n")


main()
