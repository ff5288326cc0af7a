"""Are the answers right on this device, by which kernels, and does a step wait?"""

import json
import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cases
import traces
from worker import Worker

WHAT = ("tests", "loop")
LIMIT_S = 120
SKIPPED = 77


def measure(bench, what):
    if not bench.store.get("correct", what):
        bench.store.put("correct", what, figure=tests(bench) if what == "tests" else loop(bench))


def run_test(bench, test, fused, scratch):
    report = scratch / f"{test}-{fused}.xml"
    environment = {**os.environ, "REEL_TEST_DEVICE": bench.device, "REEL_FUSED_KERNELS": fused}
    began = time.monotonic()
    command = ["timeout", str(LIMIT_S), bench.bundle / "run", test, "--gtest_brief=1", f"--gtest_output=xml:{report}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = {"status": done.returncode, "seconds": time.monotonic() - began}
    if report.exists():
        suite = xml.parse(report).getroot()
        found |= {name: int(suite.get(name, 0)) for name in ("tests", "failures")}
        found["skipped"] = sum(case.find("skipped") is not None for case in suite.iter("testcase"))
    if done.returncode not in (0, SKIPPED):
        found["output"] = (done.stdout + done.stderr)[-4000:]
    return found


def tests(bench):
    """Those of numerics, by ATen's operations and by kernels of our own. Side by side: each is small."""
    names = sorted(path.name for path in (bench.bundle / "tests").iterdir())
    chosen = [(name, fused) for fused in "01" for name in names]
    if bench.tiny:
        chosen = [("kernels_test", "1")]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(1 if bench.device == "cpu" else 7) as pool:
        runs = pool.map(lambda one: run_test(bench, *one, Path(scratch)), chosen)
        found = {f"{name}, {'fused' if fused == '1' else 'plain'}": run for (name, fused), run in zip(chosen, runs)}
    failed = [name for name, run in found.items() if run["status"]]
    return {"runs": found, "not_passed": failed}


def loop(bench):
    """Two layers of the 1.3B at its size, three steps, traced: which attention, and what the host waits for."""
    case = cases.STEPS["1.3b"]
    config = {**case.config(), "num_layers": 2}
    sizes = case.sizes
    if bench.tiny:
        config, sizes = {**config, **case.tiny}, (2, 4, 4)
    with tempfile.TemporaryDirectory() as scratch:
        file, trace = Path(scratch) / "config.json", Path(scratch) / "trace.json"
        file.write_text(json.dumps(config))
        with Worker([bench.bundle / "run", "wan_transformer_bench", file, "bf16", bench.device, *sizes]) as worker:
            worker.ask(LIMIT_S, count=1)
            worker.ask(LIMIT_S, count=3, trace=str(trace))
        return traces.summary(trace, 3)
