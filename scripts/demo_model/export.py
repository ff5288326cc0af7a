"""Writes the trained parts as a folder in the Diffusers layout, in bf16: export.py --cache DIR [--to configs/demo]."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import UniPCMultistepScheduler, WanPipeline
from transformers import T5Tokenizer

import checkpoint
import train
import vae
import words

SHIFT = 3.0
LAST = train.FINE


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--to", default=Path(__file__).resolve().parents[2] / "configs" / "demo", type=Path)
    arguments.add_argument("--shift", type=float, default=SHIFT)
    a = arguments.parse_args()

    coder = vae.create()
    checkpoint.latest(a.cache, "vae").load(coder)
    mean, std = train.statistics_of(a.cache)
    saved = vae.create(latents_mean=[round(v, 5) for v in mean], latents_std=[round(v, 5) for v in std])
    saved.load_state_dict(coder.state_dict())
    tokenizer = words.open_or_train(a.cache)
    parts = train.Parts(tokenizer.get_vocab_size(), train.patch_of(LAST))
    if not checkpoint.Store(a.cache, f"average.{LAST}").load(parts)[0]:
        raise SystemExit("train all stages first")

    a.to.mkdir(parents=True, exist_ok=True)
    for old in ("text_encoder", "tokenizer", "transformer", "vae", "scheduler"):
        shutil.rmtree(a.to / old, ignore_errors=True)
    plain = Path(a.cache) / "tokenizer"
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=a.shift)
    models = [model.to(torch.bfloat16) for model in (parts.text, saved, parts.transformer)]
    pipe = WanPipeline(T5Tokenizer.from_pretrained(plain), models[0], models[1], scheduler, models[2])
    pipe.save_pretrained(a.to)
    # transformers 5 writes the tokenizer as its own code rebuilds it; published folders look like ours.
    shutil.rmtree(a.to / "tokenizer")
    shutil.copytree(plain, a.to / "tokenizer")
    index = a.to / "model_index.json"
    entries = json.loads(index.read_text())
    entries["tokenizer"] = ["transformers", "T5TokenizerFast"]
    index.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    weights = list(a.to.rglob("*.safetensors"))
    for path in weights:
        path.chmod(0o644)
    print(f"{a.to}: {sum(p.stat().st_size for p in weights) / 1e6:.2f} MB of weights")


if __name__ == "__main__":
    main()
