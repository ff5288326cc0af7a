"""First figures on a GPU: ours beside Diffusers and beside what the GPU can do. See tests/bench/README.md."""

import argparse
import datetime
import shlex
import sys
import time
import traceback
from pathlib import Path

import cases
import ceilings
import correct
import machine
import steps
import table
import whole
from store import Store

PARTS = {  # part → what it has, the most valuable first; how one of them is measured
    "correct": (correct.WHAT, correct.measure),
    "steps": (tuple(cases.STEPS), steps.measure),
    "ceilings": (tuple(ceilings.WHAT), ceilings.measure),
    "whole": (whole.WHAT, whole.measure),
}


class Bench:
    def __init__(self, a):
        self.device, self.tiny, self.bundle = a.device, a.tiny, cases.ROOT / "build/bundle"
        found = sorted(a.out.glob(f"*-{a.name}.json")) or sorted(a.results.glob(f"*-{a.name}.json"))
        date = datetime.date.today().isoformat()
        path = a.out / (found[-1].name if found else f"{date}-{a.name}.json")
        if found and found[-1] != path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found[-1].read_text())
        about = {"name": a.name, "date": date, "tiny": a.tiny, "reel": (self.bundle / "commit").read_text().strip(),
                 "machine": machine.about(a.device)}
        self.store = Store(path, about)
        self.store.data["commands"].append(shlex.join(["scripts/bench_gpu", *sys.argv[1:]]))
        self.end = time.monotonic() + a.seconds if a.seconds else float("inf")

    def late(self):
        return time.monotonic() > self.end


def wanted(words):
    """(part, what) of words such as `steps` or `steps:1.3b`."""
    for word in words:
        part, _, what = word.partition(":")
        if part not in PARTS or (what and what not in PARTS[part][0]):
            known = "; ".join(f"{name}:{'|'.join(has)}" for name, (has, _) in PARTS.items())
            raise SystemExit(f"bench_gpu: expected {known}; got {word}")
        for one in [what] if what else PARTS[part][0]:
            yield part, one


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench_gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", default=[*PARTS], metavar="PART[:WHAT]",
                        help="; ".join(f"{name}: {' '.join(has)}" for name, (has, _) in PARTS.items()))
    parser.add_argument("--name", default="gpu", help="of the result; one that exists is gone on with")
    parser.add_argument("--again", action="store_true", help="measure also what the result has")
    parser.add_argument("--seconds", type=float, help="begin nothing after so long")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that try the way, not the speed")
    parser.add_argument("--results", type=Path, default=cases.ROOT / "tests/bench/results")
    parser.add_argument("--out", type=Path, help="where the result is written; by default --results")
    a = parser.parse_args()
    a.out = a.out or a.results
    words = list(wanted(a.parts))
    bench = Bench(a)
    failed = False
    for part, what in words:
        if bench.late():
            print(f"{part}:{what} left for later", flush=True)
            continue
        if a.again:
            for of in (part, "profile") if part == "steps" else (part,):
                bench.store.data["figures"].get(of, {}).pop(what, None)
        began = time.monotonic()
        try:
            PARTS[part][1](bench, what)
        except Exception:
            failed = True
            traceback.print_exc()
        bench.store.save()
        table.write(bench.store)
        print(f"{part}:{what} took {time.monotonic() - began:.1f} s", flush=True)
    print(bench.store.path.with_suffix(".md").read_text())
    sys.exit(failed)


main()
