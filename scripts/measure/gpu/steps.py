"""Ours and Diffusers' on the same random weights and inputs, turn by turn."""

import json
import sys
import tempfile
from pathlib import Path

import cases
import machine
import traces
from safetensors.torch import load_file
from worker import Failed, Worker

HERE = Path(__file__).resolve().parent
COMPILE_S = 300
PROGRAMS = ("reel", "diffusers")


def relative_l2(one, other):
    one, other = (load_file(path)["out"].double() for path in (one, other))
    return ((one - other).norm() / other.norm()).item() if one.shape == other.shape else float("inf")


def program_of(who):
    return "diffusers" if who.startswith("diffusers") else "reel"


class Pair:
    """The two programs: both at work, or, where the GPU is too small for that, the one that is asked."""

    def __init__(self, bench, case, folder, config, sizes):
        arguments = [folder / "config.json", case.dtype, bench.device, *sizes]
        arguments[0].write_text(json.dumps(config))
        self.commands = {
            "reel": [bench.bundle / "run", f"{'wan_' if case.kind != 'umt5' else ''}{case.kind}_bench", *arguments],
            "diffusers": [sys.executable, "-B", HERE / "peer.py", case.kind, *arguments],
        }
        self.together = machine.gpu_gib(bench.device) >= case.both_gib
        self.workers, self.weights = {}, {}

    def start(self, program):
        if program not in self.workers:
            if not self.together:
                self.close()
            self.workers[program] = Worker(self.commands[program])
        return self.workers[program]

    def ask(self, who, limit_s, **what):
        program = program_of(who)
        worker = self.start(program)
        try:
            self.weights[program] = worker.ready["weights"]
            least, most = min(self.weights.values()), max(self.weights.values())
            if most - least > 1e-9 * most:
                raise Failed(f"the programs' weights differ: {self.weights}")
            return worker.ask(limit_s, **what)
        except Failed:
            self.workers.pop(program).close()
            raise

    def close(self):
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()


def plan_of(case, together, done):
    """(who, what), in order, without what is done. Before it is timed, who begins anew is checked, and so warm."""
    turns = [(who, "time 1") for who in PROGRAMS] + [(who, "time 2") for who in reversed(PROGRAMS)]
    if case.profiled:
        turns += [(who, "profile") for who in PROGRAMS]
    if case.compiled:
        turns += [("diffusers_compiled", "time 1")]  # the last: it leaves nothing as it was
    turns = [turn for turn in turns if not done(*turn)]
    checked = done("diffusers", "check")
    first = [who for who in PROGRAMS if not checked or any(turn[0].startswith(who) for turn in turns)]
    turns = [(who, "check") for who in first] + turns
    order = [*PROGRAMS, "diffusers_compiled"]
    return turns if together else sorted(turns, key=lambda turn: order.index(turn[0]))


def measure(bench, name):
    case = cases.STEPS[name]
    config, sizes = case.config(), case.sizes
    if bench.tiny:
        config, sizes = {**config, **case.tiny}, (20,) if case.kind == "umt5" else (2, 4, 4)
    found = bench.store

    def done(who, what):
        if what == "profile":
            return found.get("profile", name, who)
        figure = found.get("steps", name, who) or {}
        return "from_reel" in figure if what == "check" else len(figure.get("turns", [])) >= int(what.split()[1])

    with tempfile.TemporaryDirectory() as scratch:
        pair = Pair(bench, case, Path(scratch), config, sizes)
        broken, plan = set(), plan_of(case, pair.together, done)
        if pair.together:  # they load at the same time
            for who, _ in plan:
                pair.start(program_of(who))
        try:
            for who, what in plan:
                if bench.late():
                    return
                if who in broken:
                    continue
                try:
                    turn(bench, pair, name, case, who, what, Path(scratch))
                except Failed as why:
                    broken.add(who)
                    part = "profile" if what == "profile" else "steps"
                    found.put(part, name, who, figure={**(found.get(part, name, who) or {}), "failed": str(why)})
        finally:
            pair.close()


def turn(bench, pair, name, case, who, what, scratch):
    found = bench.store
    figure = found.get("steps", name, who) or {"turns": []}
    if what == "check":
        out = {each: scratch / f"{each}.safetensors" for each in PROGRAMS}
        pair.ask(who, case.limit_s, count=1, guided=False, save=str(out[who]))
        figure |= {f"from_{other}": relative_l2(out[who], out[other])
                   for other in out if other != who and out[other].exists()}
    elif what == "profile":
        path = scratch / "trace.json"
        pair.ask(who, case.limit_s, count=2, trace=str(path))
        found.put("profile", name, who, figure=traces.summary(path, 2))
        return
    else:
        if who == "diffusers_compiled":
            pair.ask(who, case.limit_s, compile=True)
            figure["first_s"] = pair.ask(who, COMPILE_S, count=1)["seconds"][0]
        before = machine.clocks(bench.device)
        took = pair.ask(who, case.limit_s, count=2 if bench.tiny else case.count)
        figure["turns"].append({**took, "clocks": [before, machine.clocks(bench.device)]})
    found.put("steps", name, who, figure={**figure, "together": pair.together})
