"""Where a traced run's time went, from a Chrome trace as libtorch's profiler writes it."""

import json
import re
from collections import defaultdict

ON_GPU = ("kernel", "gpu_memcpy", "gpu_memset")
# The first that is found in a kernel's name, in lower case.
CLASSES = {
    "attention": r"flash|fmha|sdpa|attention",
    "convolution": r"conv|fprop|dgrad",
    "matrix product": r"gemm|nvjet|cutlass|cublas|matmul|addmm|linear|aten::mm|splitk",
    "copy": r"memcpy|memset|copy|\bcat|catarray",
    "norm": r"norm|reduce|welford|mean",
    "elementwise": r"elementwise|vectorized|reel|triton|aten::",
}
WAITS = re.compile(r"Synchronize|^cudaMemcpy$")
LONGEST = 25


def kind_of(name):
    return next((kind for kind, pattern in CLASSES.items() if re.search(pattern, name.lower())), "other")


def self_times(events):
    """(name, µs) of each, without what lies within it on its thread."""
    found, stacks = [], defaultdict(list)
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        stack = stacks[event["pid"], event["tid"]]
        while stack and stack[-1][2] <= event["ts"]:
            found.append(stack.pop()[:2])
        if stack:
            stack[-1][1] -= event["dur"]
        stack.append([event["name"], event["dur"], event["ts"] + event["dur"]])
    return [*found, *(entry[:2] for stack in stacks.values() for entry in stack)]


def summary(path, steps):
    """Milliseconds a step. Without a GPU the CPU's operations stand for kernels."""
    events = [e for e in json.loads(path.read_text())["traceEvents"] if e.get("ph") == "X"]
    measured = [(e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == "measured" and e["cat"] == "user_annotation"]
    work = [e for e in events if e["cat"] in ON_GPU] or [e for e in events if e["cat"] == "cpu_op"]
    sums, kinds, attention = defaultdict(lambda: [0.0, 0]), defaultdict(float), set()
    for name, micros in self_times(work):
        kinds[kind_of(name)] += micros / 1e3 / steps
        sums[name][0] += micros / 1e3 / steps
        sums[name][1] += 1
        if kind_of(name) == "attention":
            attention.add(name[:120])
    waits = defaultdict(int)
    for event in events:
        called = event["cat"] in ("cuda_runtime", "cuda_driver") and WAITS.search(event["name"])
        if called and any(begin <= event["ts"] < end for begin, end in measured):
            waits[event["name"]] += 1
    first, last = min(e["ts"] for e in work), max(e["ts"] + e["dur"] for e in work)
    longest = sorted(sums.items(), key=lambda item: -item[1][0])[:LONGEST]
    return {
        "span_ms": (last - first) / 1e3 / steps,
        "busy_ms": sum(kinds.values()),
        "kinds_ms": dict(sorted(kinds.items(), key=lambda item: -item[1])),
        "longest": [{"name": name[:160], "ms": ms, "calls": calls / steps} for name, (ms, calls) in longest],
        "attention": sorted(attention),
        "waits": dict(waits),
    }
