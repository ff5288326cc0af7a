"""Medians, spreads and ratios; the JSON and the Markdown table of a result."""

import json
from statistics import median

LABELS = {
    "text_encode": "text encoder, s",
    "image_encode": "image encoder, s",
    "vae_encode": "VAE encode, s",
    "step": "one denoising step, s",
    "denoise": "all steps, s",
    "vae_decode": "VAE decode, s",
    "encode_mp4": "MP4, s",
    "total": "the whole video, s",
    "load": "load, s",
    "cpu_s": "CPU time of the process, s",
    "wall_s": "process from start to end, s",
    "peak_resident_mb": "peak RSS, MiB",
    "peak_anonymous_mb": "peak RSS without file pages, MiB",
}


def figures_of(run, steps):
    figures = {**run["stages_s"], "step": run["stages_s"]["denoise"] / steps}
    for name in ("total_s", "load_s"):
        figures[name.removesuffix("_s")] = run[name]
    return {**figures, **{name: run[name] for name in LABELS if name in run}}


def summary(runs, steps):
    """`runs`: program → its runs. Figure → program → {median, least, most, count}."""
    found = {}
    for program, those in runs.items():
        for run in those:
            for name, value in figures_of(run, steps).items():
                found.setdefault(name, {}).setdefault(program, []).append(value)
    return {
        name: {
            program: {"median": median(values), "least": min(values), "most": max(values), "count": len(values)}
            for program, values in programs.items()
        }
        for name, programs in found.items()
    }


def text(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def cell(figure):
    if figure["count"] == 1:
        return text(figure["median"])
    return f"{text(figure['median'])} ({text(figure['least'])} – {text(figure['most'])})"


def table(figures, agreed):
    """A ratio over 1: Reel needs less. None without agreement: a wrong answer has no speed."""
    head = ["", "Reel", "Diffusers"] + (["Diffusers / Reel"] if agreed else [])
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, label in LABELS.items():
        ours, theirs = (figures.get(name, {}).get(program) for program in ("reel", "diffusers"))
        if ours or theirs:
            row = [label, *(cell(figure) if figure else "" for figure in (ours, theirs))]
            if agreed:
                both = ours and theirs and ours["median"] > 0
                row.append(f"{theirs['median'] / ours['median']:.2f}" if both else "")
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def markdown(result):
    settings, machine = result["settings"], result["machine"]
    check = result["check"]
    others = max(run["others_cores"] for runs in result["runs"].values() for run in runs)
    lines = [f"# {result['name']}, {result['date']}", ""]
    lines += [f"    {result['command']}", ""]
    lines += [
        f"- {result['model']['words']}",
        f"- {settings['width']}×{settings['height']}, {settings['num_frames']} frames, {settings['steps']} steps, "
        f"guidance {settings['guidance']:g}, seed {settings['seed']}; transformer {settings['transformer_precision']}, "
        f"text encoder {settings['text_encoder_precision']}, VAE {settings['vae_precision']}; "
        f"{settings['device']}, {settings['threads']} threads",
        f"- {machine.get('gpu', machine['cpu'])}, {machine['cores']} cores, {' '.join(machine['flags'])}, "
        f"{machine['memory_gib']} GiB; " + ", ".join(f"{key} {value}" for key, value in result["versions"].items()),
        f"- {result['rounds']} measured rounds; other processes used up to {others:.2f} cores meanwhile",
        "",
    ]
    if check["problems"]:
        lines += ["**The programs disagree, so there are no ratios:** " + "; ".join(check["problems"]), ""]
    lines += [table(result["figures"], not check["problems"]), "", "Relative L2 between the two:", ""]
    lines += ["| tensor | relative L2 | at most |", "|---|---|---|"]
    for name, distance in check["distances"].items():
        limit = check["limits"].get(name)
        lines.append(f"| `{name}` | {distance:.1e} | {'' if limit is None else f'{limit:.0e}'} |")
    if check["judged"]:
        lines += ["", "Relative L2 to Diffusers with its transformer in fp32, all else as above:", ""]
        lines += ["| tensor | Reel | Diffusers |", "|---|---|---|"]
        for name, pair in check["judged"].items():
            lines.append(f"| `{name}` | {pair['reel']:.2e} | {pair['diffusers']:.2e} |")
    frames = check["frames"]
    lines += ["", f"Frames: standard deviation {frames['standard_deviation']:.3f}, {frames['inside']:.1%} inside 0…1."]
    return "\n".join(lines) + "\n"


def write(folder, result):
    """`<date>-<name>.json` and `.md`; a result of that name and day is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{result['date']}-{result['name']}"
    stem.with_name(stem.name + ".json").write_text(json.dumps(result, indent=1) + "\n")
    stem.with_name(stem.name + ".md").write_text(markdown(result))
    return stem
