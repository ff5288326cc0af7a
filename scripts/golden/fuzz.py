"""Models and requests that no golden has: each case, drawn from a seed, through Diffusers and through `serve generate`.

A case that differs, or that `serve` refuses, is named and its folder is kept: fuzz.py --seed S --cases 1 makes it again.
"""

import argparse
import functools
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVACEPipeline,
    WanVACETransformer3DModel,
    WanVideoToVideoPipeline,
)
from safetensors.torch import save_file

import corpus
import models
import pipelines
import tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "scripts" / "measure"))
import agreement
from programs import INPUT_FLAGS

KINDS = {
    "t2v": WanPipeline,
    "a14b": WanPipeline,
    "5b": WanPipeline,
    "5b i2v": WanImageToVideoPipeline,
    "i2v": WanImageToVideoPipeline,
    "flf2v": WanImageToVideoPipeline,
    "i2v a14b": WanImageToVideoPipeline,
    "v2v": WanVideoToVideoPipeline,
    "vace": WanVACEPipeline,
}
ANCHORED = ("flf2v", "i2v a14b", "v2v", "vace")  # at more than the first frame
SENTENCES = list(corpus.sentences())[:400]
HARD_WORDS = ("🦊", "naïve", "«quoted»", "&amp;", "\t", "  ", "ﬁne", "日本語の", "Ω", "don't", "e\u0301", "<extra_id_0>", "1,234.5")
# Random networks make more of a rounding than trained ones.
BOUNDS = {"latents.final": 2e-3, "frames": 2e-3, "condition": 1e-3, "prompt_embeds": 1e-4, "negative_prompt_embeds": 1e-4}


def scheduler(rng):
    if rng.random() < 0.3:
        return FlowMatchEulerDiscreteScheduler(shift=rng.choice((1.0, 3.0, 7.5)))
    order = rng.choice((1, 2, 2, 3))
    last = rng.choice(("zero", "zero", "sigma_min"))
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=rng.choice((1.0, 3.0, 5.0, 12.0)),
        solver_order=order,
        final_sigmas_type=last,
        solver_type=rng.choice(("bh1", "bh2")) if last != "zero" else "bh2",  # with bh1 Diffusers ends in NaN
        disable_corrector=rng.choice(([], [], [0], [1, 2])),
    )


@functools.cache
def pieces(vocabulary):
    return tokenizer.train(vocabulary=vocabulary)


def model(rng, family, name):
    """Makes the folder MODELS/name."""
    seed, new = rng.randrange(1 << 30), family.startswith("5b")
    proto = pieces(rng.choice((700, 1200)))
    if rng.random() < 0.5:
        proto = tokenizer.without_charsmap(proto)
    width = 2 * rng.randint(5, 14)
    text = models.text_encoder(
        seed,
        len(proto.pieces),
        d_model=width,
        d_ff=rng.randint(8, 40),
        d_kv=rng.randint(3, 10),
        num_heads=rng.randint(1, 4),
        num_layers=rng.randint(1, 4),
        layer_norm_epsilon=rng.choice((1e-6, 1e-5)),
        relative_attention_num_buckets=rng.choice((16, 20, 32)),
        relative_attention_max_distance=rng.choice((50, 128)),
    )
    z = 48 if new else 16
    halves = [True, True, False]
    rng.shuffle(halves)
    # A norm over two or three channels blows a rounding up wherever all of them are near zero.
    shape = dict(base_dim=rng.randint(6, 10), num_res_blocks=rng.randint(1, 2), temperal_downsample=halves)
    if new:
        shape.update(decoder_base_dim=rng.randint(6, 10), dim_mult=[1, 2, 4, rng.choice((2, 4))], is_residual=True)
        shape.update(in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16)
    else:
        shape.update(dim_mult=[1, rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 3)])
    coder = models.vae(seed + 1, z, spread=0.6, **shape)
    parts = dict(
        text_dim=width,
        num_attention_heads=rng.randint(1, 4),
        attention_head_dim=2 * rng.randint(3, 9),
        ffn_dim=rng.randint(8, 40),
        num_layers=rng.randint(1, 4),
        freq_dim=2 * rng.randint(4, 16),
        cross_attn_norm=rng.random() < 0.8,
        eps=rng.choice((1e-6, 1e-5)),
        in_channels=z,
        out_channels=z,
        rope_max_seq_len=rng.choice((40, 1024)),
    )
    settings = {}
    if family in ("i2v", "flf2v", "i2v a14b"):
        parts["in_channels"] = 36
    if family in ("i2v", "flf2v"):
        parts.update(image_dim=18, added_kv_proj_dim=parts["num_attention_heads"] * parts["attention_head_dim"])
        parts.update(dict(pos_embed_seq_len=34) if family == "flf2v" else {})
        settings = models.image_encoder(seed + 2)
    if new:
        settings = dict(expand_timesteps=True)
    kind, made = WanPipeline if family == "v2v" else KINDS[family], {}
    if family == "vace":
        layers = sorted(rng.sample(range(1, parts["num_layers"]), rng.randint(0, parts["num_layers"] - 1)))
        made = dict(kind=WanVACETransformer3DModel, vace_layers=[0, *layers], vace_in_channels=96)
    experts = [models.transformer(seed + 3 + i, **parts, **made) for i in range(2 if "a14b" in family else 1)]
    if len(experts) == 2:
        settings = dict(boundary_ratio=rng.choice((0.5, 0.875, 0.9)))
    models.save(name, proto, text, coder, scheduler(rng), *experts, kind=kind, **settings)


def text(rng):
    words = " ".join(rng.choice(SENTENCES) for _ in range(rng.randint(0, 3))).split(" ")
    for _ in range(rng.randint(0, 3)):
        words.insert(rng.randint(0, len(words)), rng.choice(HARD_WORDS))
    return " ".join(words).strip(" ") or "a"


def request(rng, family):
    multiple = 32 if family.startswith("5b") else 16
    made = dict(
        prompt=text(rng),
        negative_prompt=text(rng) if rng.random() < 0.7 else "",
        width=multiple * rng.randint(1, 5),
        height=multiple * rng.randint(1, 4),
        num_frames=rng.choice((5, 9, 13) if family in ANCHORED else (1, 5, 6, 8, 9, 13)),
        num_inference_steps=rng.randint(2, 8),
        guidance_scale=rng.choice((1.0, 3.5, 5.0, 6.3)),
        guidance_scale_2=rng.choice((None, 1.0, 3.0)) if "a14b" in family else None,
        seed=rng.choice((0, 1, rng.randrange(1 << 32), rng.randrange(1 << 62))),
        flow_shift=None,
        max_sequence_length=rng.choice((12, 64, 226, 512)),
    )
    width, height, frames = made["width"], made["height"], made["num_frames"]
    some = lambda: pipelines.picture(rng.randrange(1 << 20), rng.randint(20, 120), rng.randint(20, 120))
    inputs = {}
    if family in ("i2v", "flf2v", "i2v a14b", "5b i2v"):
        inputs["image"] = some()
        if family == "flf2v" or (family == "i2v a14b" and rng.random() < 0.5):
            inputs["last_image"] = some()
    if family == "v2v":
        inputs["video"] = pipelines.clip(rng.randrange(1 << 20), rng.randint(40, 90), rng.randint(40, 90), frames)
        made["strength"] = rng.choice((0.4, 0.7, 1.0))
    if family == "vace":
        made["conditioning_scale"] = rng.choice((0.5, 1.0, 1.4))
        if rng.random() < 0.7:  # of the request's aspect, as Diffusers needs it
            inputs["video"] = pipelines.clip(rng.randrange(1 << 20), width, height, frames)
            if rng.random() < 0.6:
                inputs["mask"] = pipelines.clip(rng.randrange(1 << 20), width, height, frames)
        if rng.random() < 0.6 or not inputs:
            inputs["reference_images"] = [some() for _ in range(rng.randint(1, 2))]
    return made, inputs


def flags(wanted, inputs, folder):
    """Of `serve generate`; pictures are written below `folder`."""
    for name, value in wanted.items():
        if value is not None:
            yield from (f"--{name.replace('_', '-')}", value)
    for name, value in inputs.items():
        yield INPUT_FLAGS[name]
        pictures = value if isinstance(value, list) else [value]
        paths = [folder / f"{name}.{i:03}.png" for i in range(len(pictures))]
        if name in ("video", "mask"):
            paths = [folder / name / path.name for path in paths]
            (folder / name).mkdir()
            yield folder / name
        else:
            yield from paths
        for path, picture in zip(paths, pictures):
            picture.save(path)


def run(seed, a, folder):
    """What is wrong with the case, and what it is."""
    rng = random.Random(seed)
    family = rng.choice(a.families)
    models.MODELS = pipelines.MODELS = folder
    model(rng, family, "model")
    wanted, inputs = request(rng, family)
    case = {"case": seed, "family": family, **{k: v for k, v in wanted.items() if v is not None}}
    pipe = pipelines.load("model", KINDS[family])
    save_file({k: v.contiguous() for k, v in pipelines.record(pipe, wanted, **inputs).items()}, folder / "theirs.safetensors")
    command = [a.serve, "generate", "--model-path", folder / "model", "--device", "cpu", "--threads", 1]
    command += ["--dit-precision", "fp32", "--vae-precision", "fp32", "--text-encoder-precisions", "fp32"]
    command += ["--dump", folder, "--output-path", folder / "out", *flags(wanted, inputs, folder)]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        return [f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"], case
    found = agreement.compare(folder / "tensors.safetensors", folder / "theirs.safetensors")
    steps = {name: BOUNDS["latents.final"] for name in found if name.startswith("latents.step")}
    bounds = {**agreement.ALWAYS, **BOUNDS, **steps}
    if inputs:
        bounds["latents.initial"] = bounds["condition"]
    return [f"{n}: {found[n]:.1e}" for n, most in bounds.items() if not found.get(n, 0.0) <= most], case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    parser.add_argument("--families", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--serve", default=ROOT / "build" / "release" / "serve")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "reel-fuzz")
    a = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    for seed in range(a.seed, a.seed + a.cases):
        folder = a.keep / str(seed)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        problems, case = run(seed, a, folder)
        if problems:
            wrong += 1
            print(json.dumps({"wrong": problems, **case}, ensure_ascii=False), flush=True)
        else:
            shutil.rmtree(folder)
            print(f"{seed} {case['family']}: alike", flush=True)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
