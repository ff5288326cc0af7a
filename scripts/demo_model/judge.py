"""Asks `serve` for videos of held-out prompts and says how often they show what was asked: judge.py --help

judge.py --self           the judge's own rates, on rendered clips
judge.py                  the demo model's
judge.py --versus FLAGS   the same prompts and seeds with these flags of serve besides: rates, and distances clip by clip
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F

import captions
import seeing
import world

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "measure"))
import served

GROUPS = {  # share of the prompts, shapes, unseen word order
    "single": (0.5, 1, False),
    "single, unseen word order": (0.2, 1, True),
    "two": (0.3, 2, False),
}


def prompts(count, seed):
    """(group, scene, caption): scenes whose combination is in no training clip."""
    rng = random.Random(seed)
    made = []
    for group, (share, shapes, unseen) in GROUPS.items():
        for _ in range(round(count * share)):
            scene = world.sample(rng, two=float(shapes == 2), allow_held_out=True)
            made.append((group, scene, captions.caption(rng, scene, unseen_order=unseen, clean=True)[0]))
    return made


class Rates:
    def __init__(self):
        self.counts = {}

    def add(self, group, scene, verdict):
        groups = [group]
        if len(scene.shapes) == 1:
            effect = scene.shapes[0].effect
            groups += [f"  {effect}" if effect != "none" else "  no effect"] if group == "single" else []
        for name in groups:
            row = self.counts.setdefault(name, {})
            values = dict(verdict)
            if len(scene.shapes) == 1:
                values["colour, shape, motion"] = verdict["colour"] and verdict["shape"] and verdict["motion"]
            values["all"] = all(verdict.values())
            for key, right in values.items():
                good, total = row.get(key, (0, 0))
                row[key] = (good + bool(right), total + 1)

    def table(self):
        columns = ("colour", "shape", "motion", "effect", "layout", "colour, shape, motion", "all")
        lines = ["| prompts | number | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
        for name in sorted(self.counts, key=lambda n: (not n.startswith("single"), n.startswith("  "), n)):
            row = self.counts[name]
            cells = [f"{100 * row[c][0] / row[c][1]:.1f} %" if c in row else "" for c in columns]
            lines.append(f"| {name} | {row['all'][1]} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def _psnr(a, b):
    return (-10 * torch.log10((a - b).square().mean().clamp_min(1e-10))).item()


def _ssim(a, b):
    """Mean over windows of 8 pixels of the luma of every frame."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    x, y = ((f * weights).sum(1, keepdim=True) for f in (a, b))
    mean = lambda v: F.avg_pool2d(v, 8, 2)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean().item()


def _features(a, b):
    """Distance of contrast-normalised edges at four scales, 0…1: what is left of likeness when light and place are."""
    kernel = torch.tensor([[[-1.0, 0, 1]] * 3, [[-1.0] * 3, [0.0] * 3, [1.0] * 3]])[:, None]
    total, x, y = 0.0, a.flatten(0, 1)[:, None], b.flatten(0, 1)[:, None]
    for _ in range(4):
        u, v = (F.conv2d(f, kernel, padding=1) for f in (x, y))
        scale = 0.5 * (u.square().mean() + v.square().mean()) + 1e-6
        total += ((u - v).square().mean() / scale / 4).item()
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return total / 4


def judge_self(asked):
    rates, generator = Rates(), torch.Generator().manual_seed(0)
    for group, scene, _ in asked:
        clip = world.render(scene).float() / 255
        clip = 0.5 * clip + 0.5 * F.avg_pool2d(clip, 3, 1, 1) + 0.02 * torch.randn(clip.shape, generator=generator)
        rates.add(group, scene, seeing.verdict(clip.clamp(0, 1), scene))
    return rates


def make(asked, a, flags):
    bodies = [
        {
            "prompt": text,
            "size": a.size,
            "num_frames": a.num_frames,
            "num_inference_steps": a.num_inference_steps,
            "guidance_scale": a.guidance_scale,
            "seed": a.seed + index,
        }
        for index, (_, _, text) in enumerate(asked)
    ]
    rates, clips = Rates(), []
    with tempfile.TemporaryDirectory() as folder, served.Server(a.model_path, *flags, binary=a.serve) as server:
        for index, path in server.videos(bodies, folder):
            group, scene, text = asked[index]
            frames = seeing.read_video(path)
            verdict = seeing.verdict(frames, scene)
            rates.add(group, scene, verdict)
            clips.append(frames)
            if a.wrong and not all(verdict.values()):
                wrong = ", ".join(name for name, right in verdict.items() if not right)
                print(json.dumps({"prompt": text, "wrong": wrong}), flush=True)
    return rates, clips


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self", action="store_true")
    parser.add_argument("--versus", nargs=argparse.REMAINDER, metavar="FLAGS")
    parser.add_argument("--model-path", default=root / "configs" / "demo")
    parser.add_argument("--serve", default=root / "build" / "release" / "serve")
    parser.add_argument("--flags", default="--dit-precision fp32 --text-encoder-precisions fp32")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--size", default="96x96")
    parser.add_argument("--num-frames", type=int, default=17)
    parser.add_argument("--num-inference-steps", type=int, default=20)
    parser.add_argument("--guidance-scale", type=float, default=5)
    parser.add_argument("--wrong", action="store_true", help="name each prompt that was not met")
    a = parser.parse_args()
    torch.set_num_threads(1)

    asked = prompts(a.count, a.seed)
    if a.self:
        print(judge_self(asked).table())
        return
    rates, clips = make(asked, a, a.flags.split())
    print(rates.table())
    if a.versus is not None:
        others, other_clips = make(asked, a, [*a.flags.split(), *a.versus])
        print(f"\nwith {' '.join(a.versus)}:\n\n{others.table()}\n")
        for name, measure in (("PSNR, dB", _psnr), ("SSIM", _ssim), ("edge distance", _features)):
            values = sorted(measure(x, y) for x, y in zip(clips, other_clips))
            print(f"{name}: median {values[len(values) // 2]:.3f}, worst tenth {values[len(values) // 10 if name != 'edge distance' else -len(values) // 10 - 1]:.3f}")


if __name__ == "__main__":
    main()
