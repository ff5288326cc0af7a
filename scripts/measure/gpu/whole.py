"""`serve` itself, over HTTP: from start to ready, and where a job's time goes."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cases

sys.path.append(str(cases.ROOT / "scripts/measure"))
from served import Server

WHAT = ("1.3b",)
STEPS = 5
# UMT5 is cut to two layers: the folder is written on the machine, and its disk is slow.
MODEL = ("--model", "1.3b", "--text-layers", "2")
REQUEST = {"prompt": "a red fox runs across a frozen lake", "seed": 1, "num_inference_steps": STEPS,
           "size": "832x480", "num_frames": 81}


def stages(server):
    """Seconds that all jobs so far have spent in each stage."""
    text = server.ask("GET", "/metrics")[1].decode()
    return {name: float(value) for name, value in re.findall(r'serve_stage_seconds_sum\{stage="(\w+)"\} (\S+)', text)}


def job(server, request):
    before, began = stages(server), time.monotonic()
    done = server.finished(server.start(request), 0.005)
    whole_s = time.monotonic() - began
    spent = {name: value - before.get(name, 0.0) for name, value in stages(server).items()}
    engine_s = done["inference_time_s"]
    return {"whole_s": whole_s, "engine_s": engine_s, "beyond_the_engine_s": whole_s - engine_s,
            "peak_memory_mb": done["peak_memory_mb"], "stages_s": spent}


def measure(bench, what):
    found = bench.store
    if found.get("whole", what):
        return
    if not (bench.bundle / "bin/serve").exists():
        found.put("whole", what, figure={"failed": "the bundle has no serve"})
        return
    with tempfile.TemporaryDirectory() as scratch:
        model, flags = cases.ROOT / "tests/goldens/models/t2v-tiny", []
        request = {**REQUEST, "size": "64x64", "num_frames": 9}
        if not bench.tiny:
            model, request = Path(scratch) / "model", REQUEST
            write = [sys.executable, "-B", cases.ROOT / "scripts/measure/true_size.py", model, *MODEL]
            subprocess.run([str(word) for word in write], check=True)
            flags = ["--warmup-resolutions", request["size"]]
        run = Path(scratch) / "serve"
        run.write_text(f'#!/bin/sh\nexec "{bench.bundle}/run" serve "$@"\n')
        run.chmod(0o755)
        with Server(model, "--device", bench.device, *flags, binary=run) as server:
            first = job(server, request)
            found.put("whole", what, figure={"ready_s": server.ready_s, "steps": STEPS, "first": first,
                                             "jobs": [job(server, request) for _ in range(2)]})
