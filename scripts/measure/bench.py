"""Measures serve against Diffusers, side by side on one model folder. See tests/bench/README.md."""

import argparse
import datetime
import json
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import agreement
import inputs
import machine
import programs
import report

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = dict(
    prompt="a red fox runs across a frozen lake, the camera pans left",
    negative_prompt="blurry, low quality, static",
    width=832,
    height=480,
    num_frames=81,
    steps=50,
    guidance=5.0,
    seed=1234,
    transformer_precision="bf16",
    text_encoder_precision="bf16",
    vae_precision="fp32",
    device="cpu",
    threads=os.cpu_count(),
)
# Made by both before they are ready; serve always makes 5 frames.
WARM_UP = dict(width=128, height=128, num_frames=5, num_inference_steps=1)
ALL_FP32 = dict(transformer_precision="fp32", text_encoder_precision="fp32", vae_precision="fp32")
PRESETS = {
    # Whole pipelines on the committed tiny models: overheads, not arithmetic.
    **{
        name: dict(ALL_FP32, model=str(ROOT / "tests/goldens/models" / model), task=task, width=96, height=32,
                   num_frames=9, steps=6)
        for name, model, task in (
            ("t2v-tiny", "t2v-tiny", "t2v"),
            ("a14b-tiny", "a14b-tiny", "t2v"),
            ("ti2v-5b-tiny", "ti2v-5b-tiny", "t2v"),
            ("ti2v-5b-tiny.image", "ti2v-5b-tiny", "i2v"),
            ("i2v-tiny", "i2v-tiny", "i2v"),
            ("flf2v-tiny", "flf2v-tiny", "flf2v"),
            ("i2v-a14b-tiny", "i2v-a14b-tiny", "i2v"),
            ("vace-tiny", "vace-tiny", "vace"),
            ("t2v-tiny.video", "t2v-tiny", "v2v"),
        )
    },
    # 1,280 tokens through the 1.3B's width; one forward a step. Needs --model-path (scripts/true_size).
    "step-1.3b": dict(width=256, height=256, num_frames=17, steps=4, guidance=1.0),
    # Every published shape once, as short as can be. Needs --model-path (scripts/true_size).
    "true-size": dict(width=128, height=128, num_frames=5, steps=2),
}
FLAGS = {"transformer_precision": "--dit-precision", "steps": "--num-inference-steps", "guidance": "--guidance-scale"}
PRECISIONS = ("bf16", "fp16", "fp32")


def parsed():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, help="; ".join(PRESETS))
    parser.add_argument("--model-path", dest="model", help="a folder in the Diffusers layout")
    for name, value in DEFAULTS.items():
        choices = PRECISIONS if name.endswith("precision") else ("cpu", "cuda") if name == "device" else None
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        parser.add_argument(flag, dest=name, type=type(value), choices=choices, help=f"default {value}")
    parser.add_argument("--task", choices=inputs.TASKS, help="which inputs are given; default: what the folder is for")
    parser.add_argument("--serve", default=str(ROOT / "build/release/serve"))
    parser.add_argument("--rounds", type=int, default=2, help="measured rounds of Reel, Diffusers, then the other way "
                        "round; 0: the runs that are checked are the measured ones (default 2)")
    parser.add_argument("--bound", type=float, help="on the relative L2 of final latents and frames, instead "
                        "of the judging of bf16 by Diffusers in fp32, which needs its memory")
    parser.add_argument("--twin", action="store_true", help="Diffusers takes another seed: the check must fail")
    parser.add_argument("--name", help="of the result; default: the preset's")
    parser.add_argument("--results", type=Path, default=ROOT / "tests/bench/results")
    return parser.parse_args()


def settings_of(arguments):
    settings = {**DEFAULTS, "warm_up": WARM_UP, **PRESETS.get(arguments.preset, {})}
    settings.update({name: value for name, value in vars(arguments).items()
                     if value is not None and name in (*DEFAULTS, "model", "task")})
    if "model" not in settings:
        raise SystemExit("--model-path is missing; scripts/true_size writes one")
    folder = Path(settings["model"]).resolve()
    settings["model"] = str(folder)
    settings.setdefault("task", inputs.task_of(folder))
    settings["strength"] = 0.8 if settings["task"] == "v2v" else 1
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    settings["flow_shift"] = scheduler.get("flow_shift", scheduler.get("shift", 1.0))
    settings["boundary_ratio"] = json.loads((folder / "model_index.json").read_text()).get("boundary_ratio")
    return settings


def words_of(folder):
    """What the folder holds, with what is less than published."""
    parts = []
    for part in ("transformer", "transformer_2", "text_encoder", "image_encoder", "vae"):
        path = folder / part / "config.json"
        if path.exists():
            config = json.loads(path.read_text())
            width = config.get("d_model") or config.get("base_dim") or config.get("hidden_size")
            width = width or config["num_attention_heads"] * config["attention_head_dim"]
            layers = f", {config['num_layers']} layers" if "num_layers" in config else ""
            size = sum(file.stat().st_size for file in (folder / part).glob("*.safetensors"))
            parts.append(f"{part} width {width}{layers} ({size / 1e9:.2f} GB)")
    return "; ".join(parts)


def main():
    arguments = parsed()
    settings = settings_of(arguments)
    folder = Path(settings["model"])
    scratch = Path(tempfile.mkdtemp(prefix="reel-bench-"))
    settings["inputs"] = inputs.write(
        scratch, settings["task"], settings["width"], settings["height"], settings["num_frames"]
    )

    def run(program, label, **changes):
        out = scratch / f"{label}-{program}"
        out.mkdir()
        theirs = {**settings, "seed": settings["seed"] + arguments.twin, **changes}
        if program == "reel":
            command, perf = programs.reel_command(arguments.serve, settings, out), programs.reel_perf
        else:
            command, perf = programs.diffusers_command(theirs, out), programs.diffusers_perf
        figures = programs.run(command, perf, settings, out)
        print(f"{label:9} {program:9} video {figures['total_s']:.3g} s, process {figures['wall_s']:.1f} s, "
              f"{figures['peak_resident_mb']:,.0f} MiB, others {figures['others_cores']:.1f} cores", flush=True)
        return figures

    try:
        first = {program: [run(program, "check")] for program in ("reel", "diffusers")}
        ours, theirs = (scratch / f"check-{program}" / "tensors.safetensors" for program in ("reel", "diffusers"))
        judged = {}
        if settings["transformer_precision"] != "fp32" and not arguments.bound:
            run("diffusers", "judge", transformer_precision="fp32")
            judged = agreement.judged(ours, theirs, scratch / "judge-diffusers" / "tensors.safetensors")
        distances = agreement.compare(ours, theirs)
        frames = agreement.spread(theirs)
        limits = agreement.limits(settings["transformer_precision"], arguments.bound, settings["task"])
        problems = agreement.problems(distances, frames, limits, judged)
        for problem in problems:
            print(f"check     {problem}", file=sys.stderr)
        runs = first
        if arguments.rounds and not problems:
            runs = {"reel": [], "diffusers": []}
            for number in range(arguments.rounds):
                for program in ("reel", "diffusers", "diffusers", "reel"):
                    label = f"{number + 1}.{len(runs[program])}"
                    runs[program].append(run(program, label))
    finally:
        shutil.rmtree(scratch)

    result = {
        "name": arguments.name or arguments.preset or folder.name,
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["scripts/bench", *(Path(word).name if word.startswith("/") else word
                                                   for word in sys.argv[1:])]),
        "settings": {**settings, "model": folder.name, "inputs": list(settings["inputs"])},
        "model": {"words": words_of(folder)},
        "machine": machine.machine(settings["device"]),
        "versions": machine.versions(),
        "rounds": arguments.rounds,
        "check": {"distances": distances, "limits": limits, "judged": judged, "problems": problems, "frames": frames},
        "figures": report.summary(runs, int(settings["steps"] * settings["strength"])),
        "runs": runs,
    }
    stem = report.write(arguments.results, result)
    print(report.markdown(result))
    print(f"written: {stem}.json, .md")
    if problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
