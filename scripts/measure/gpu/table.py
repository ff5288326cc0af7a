"""The Markdown beside a result's JSON."""

from statistics import median

import cases

DATASHEET = {"tflops": 989.0, "gbps": 3350.0}  # H100 SXM, dense bf16: where nothing was measured
GOALS = {"1.3b": 0.90, "14b": 4.9, "14b-720p": 18.6, "5b": 1.58}


def text(value):
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def rows(head, lines):
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines)] + [""]


def seconds(figure):
    """All turns' of one program, or nothing."""
    return [value for turn in (figure or {}).get("turns", []) for value in turn["seconds"]]


def cell(values):
    if not values:
        return ""
    spread = f" ({text(min(values))} – {text(max(values))})" if len(values) > 1 else ""
    return text(median(values)) + spread


def peak(figure):
    turns = [turn for turn in (figure or {}).get("turns", []) if "allocated_mib" in turn]
    return " / ".join(f"{max(turn[key] for turn in turns):,.0f}" for key in ("allocated_mib", "reserved_mib") if turns)


def failure(figure):
    return f"**failed**: {figure['failed'].splitlines()[0]}"


def rates(figures):
    """What floors are counted with: (TFLOP/s, GB/s, in words)."""
    ceilings = figures.get("ceilings", {})
    products = [f["tflops"] for f in ceilings.get("matmul", {}).values() if isinstance(f, dict)]
    copy = ceilings.get("bandwidth", {}).get("copy", {}).get("gbps")
    words = "measured: the fastest bf16 product, a copy" if products and copy else "the datasheet's"
    return max(products, default=DATASHEET["tflops"]), copy or DATASHEET["gbps"], words


def floor_s(case, tflops, gbps):
    flops, nbytes = case.least()
    slower = 2 if case.dtype == "fp32" else 1  # convolutions in TF32
    return max(flops * slower / tflops / 1e12, nbytes / gbps / 1e9) or None


def steps(figures):
    tflops, gbps, words = rates(figures)
    lines, notes = [], []
    for name, programs in figures.get("steps", {}).items():
        case = cases.STEPS[name]
        known = {who: seconds(programs.get(who)) for who in ("reel", "diffusers", "diffusers_compiled")}
        floor = floor_s(case, tflops, gbps)
        far = programs.get("diffusers", {}).get("from_reel", programs.get("reel", {}).get("from_diffusers"))
        agreed = far is not None and far <= case.bound
        ours = median(known["reel"]) if known["reel"] else None
        theirs = [median(known[who]) for who in ("diffusers", "diffusers_compiled") if known[who]]
        ratio = text(min(theirs) / ours) if ours and theirs and agreed else ""
        peaks = [peak(programs.get(who)) for who in ("reel", "diffusers")]
        lines.append([name, *(cell(values) for values in known.values()), text(floor),
                      text(ours / floor) if ours and floor else "", ratio, text(GOALS.get(name)),
                      f"{text(far) or '?'} ≤ {case.bound:g}", *peaks])
        notes += [f"- {name}, {who}: {failure(f)}" for who, f in programs.items() if "failed" in f]
        if not all(f.get("together", True) for f in programs.values()):
            notes.append(f"- {name}: one program after the other; the GPU is too small for both")
    if not lines:
        return []
    head = ["", "Reel", "Diffusers", "Diffusers, compiled", "floor", "Reel / floor",
            "Diffusers / Reel", "goal", "relative L2 to Diffusers", "Reel's peak", "Diffusers' peak"]
    said = ("Seconds of a denoising step with guidance, a VAE's decode, a prompt's encoding: median (least – most). "
            "Ratios are to the better of Diffusers'; none without agreement. Peaks: MiB allocated / reserved. "
            f"Floor: {text(tflops)} TFLOP/s, {text(gbps)} GB/s ({words}).")
    return ["## Ours beside Diffusers", "", said, "", *rows(head, lines), *notes, ""]


def correct(figures):
    found, lines = figures.get("correct", {}), []
    if runs := found.get("tests", {}).get("runs"):
        count = sum(run.get("tests", 0) for run in runs.values())
        skipped = sum(run.get("skipped", 0) for run in runs.values())
        lines += [f"- {len(runs)} test programs, {count} tests, {skipped} skipped; not passed: "
                  f"{', '.join(found['tests']['not_passed']) or 'none'}"]
    if loop := found.get("loop"):
        lines += [f"- attention: {', '.join(f'`{name}`' for name in loop['attention']) or 'not seen'}",
                  f"- the host's waits in three steps: {loop['waits'] or 'none'}"]
    return ["## Correct", "", *lines, ""] if lines else []


def profile(figures):
    lines = []
    for name, programs in figures.get("profile", {}).items():
        programs = {who: f for who, f in programs.items() if "kinds_ms" in f}
        if not programs:
            continue
        kinds = sorted({kind for f in programs.values() for kind in f["kinds_ms"]},
                       key=lambda kind: -max(f["kinds_ms"].get(kind, 0) for f in programs.values()))
        table = [[kind, *(text(f["kinds_ms"].get(kind, 0)) for f in programs.values())] for kind in kinds]
        table += [[f"**{key}**", *(text(f[f"{key}_ms"]) for f in programs.values())] for key in ("busy", "span")]
        lines += [f"### {name}, ms each", "", *rows(["", *programs], table)]
        for who, f in programs.items():
            longest = [[f"`{k['name'][:100].replace('|', '/')}`", text(k["ms"]), text(k["calls"])]
                       for k in f["longest"][:12]]
            lines += [f"{who}; waits {f['waits'] or 'none'}", "", *rows(["kernel", "ms", "calls"], longest)]
    return ["## Where a step's time goes", "", *lines] if lines else []


def ceilings(figures):
    lines = []
    for what, entries in figures.get("ceilings", {}).items():
        lines += [f"### {what}", ""]
        if "failed" in entries:
            lines += [failure(entries), ""]
        table = {name: f for name, f in entries.items() if isinstance(f, dict)}
        keys = list(dict.fromkeys(key for f in table.values() for key in f))
        cells = [[name, *(text(f.get(key)) if not isinstance(f.get(key), str) else f[key] for key in keys)]
                 for name, f in table.items()]
        lines += rows(["", *keys], cells) if table else []
    return ["## Ceilings", "", *lines] if lines else []


def whole(figures):
    lines = []
    for name, f in figures.get("whole", {}).items():
        if "failed" in f:
            lines += [f"- {name}: {failure(f)}"]
            continue
        lines += [f"- {name}: ready {text(f['ready_s'])} s after its start; jobs of {f['steps']} steps:", ""]
        runs = [f["first"], *f["jobs"]]
        keys = ("whole_s", "engine_s", "beyond_the_engine_s")
        names = list(runs[0]["stages_s"])
        lines += rows(["", *keys, *names],
                      [[str(i), *(text(run[key]) for key in keys), *(text(run["stages_s"].get(n)) for n in names)]
                       for i, run in enumerate(runs)])
    return ["## Serve, over HTTP", "", *lines, ""] if lines else []


def markdown(data):
    figures = data["figures"]
    about = ", ".join(f"{key} {value}" for key, value in data["machine"].items())
    lines = [f"# {data['name']}, {data['date']}", "", *(f"    {command}" for command in data["commands"]), "",
             f"Reel {data['reel']}; {about}.", ""]
    lines += [data["note"], ""] if "note" in data else []
    if data.get("tiny"):
        lines += ["**Tiny sizes: these figures say that the way works, not how fast anything is.**", ""]
    for part in (steps, correct, profile, ceilings, whole):
        lines += part(figures)
    return "\n".join(lines).rstrip() + "\n"


def write(store):
    store.path.with_suffix(".md").write_text(markdown(store.data))
