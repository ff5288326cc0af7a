"""A folder in the Diffusers layout with every tensor of a published model, at its shape, random."""

import argparse
import json
import re
import shutil
import time
from pathlib import Path

import random_weights
import shards

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "tests" / "goldens"
PATTERN = GOLDENS / "models" / "t2v-tiny"

# name → keys of the transformer, keys of the VAE, flow shift, entries of model_index.json
MODELS = {
    "1.3b": ("wan2.1-t2v-1.3b", "wan2.1-vae", 3.0, {}),
    "14b": ("wan2.1-t2v-14b", "wan2.1-vae", 3.0, {}),
    "a14b": ("wan2.2-t2v-a14b", "wan2.1-vae", 3.0, {"boundary_ratio": 0.875}),
    "5b": ("wan2.2-ti2v-5b", "wan2.2-vae", 5.0, {"expand_timesteps": True}),
}
UMT5_CONFIG = {
    "architectures": ["UMT5EncoderModel"],
    "model_type": "umt5",
    "is_encoder_decoder": False,
    "use_cache": False,
    "dtype": "bfloat16",
}


def unfolded(tensors, layers):
    """`blocks.{0..29}.x` becomes `blocks.0.x` … of as many layers as are asked for, block by block."""
    whole, blocks = {}, {}
    for key, shape in tensors.items():
        parts = re.fullmatch(r"(.*\.)?\{0\.\.\d+\}(\..*)", key)
        if not parts:
            whole[key] = shape
            continue
        for layer in range(layers):
            blocks.setdefault(layer, {})[f"{parts[1]}{layer}{parts[2]}"] = shape
    for layer in blocks.values():
        whole.update(layer)
    return whole


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_component(folder, stem, keys, layers=None, extra=None):
    """`layers` None: all."""
    golden = json.loads((GOLDENS / "keys" / f"{keys}.json").read_text())
    config = {**golden["config"], **(extra or {})}
    layers = layers or config.get("num_layers", 0)
    if "num_layers" in config:
        if layers > config["num_layers"]:
            raise SystemExit(f"{keys}: {config['num_layers']} layers at most, got {layers}")
        config["num_layers"] = layers
    if stem == "model":
        config.pop("_class_name")
    folder.mkdir()
    write_json(folder / "config.json", config)
    began = time.monotonic()
    shapes = unfolded(golden["tensors"], layers)
    shards.write(folder, stem, shapes, random_weights.pieces)
    total = sum(map(shards.size_of, shapes.values()))
    print(f"{folder.name}: {len(shapes)} tensors, {total / 1e9:.2f} GB, {time.monotonic() - began:.0f} s", flush=True)


def write_model(folder, name, layers=None, text_layers=None):
    transformer, vae, shift, settings = MODELS[name]
    folder.mkdir(parents=True)
    shutil.copytree(PATTERN / "tokenizer", folder / "tokenizer")
    scheduler = json.loads((PATTERN / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", {**scheduler, "flow_shift": shift})
    index = {**json.loads((PATTERN / "model_index.json").read_text()), **settings}
    experts = ["transformer"]
    if "boundary_ratio" in settings:
        experts.append("transformer_2")
        index["transformer_2"] = index["transformer"]
    for expert in experts:
        write_component(folder / expert, "diffusion_pytorch_model", transformer, layers)
    write_component(folder / "vae", "diffusion_pytorch_model", vae)
    write_component(folder / "text_encoder", "model", "umt5-xxl", text_layers, UMT5_CONFIG)
    # Last: a folder with an index is whole.
    write_json(folder / "model_index.json", index)


def main():
    parser = argparse.ArgumentParser(prog="scripts/true_size", description=__doc__)
    parser.add_argument("folder", type=Path, help="must not exist; outside the work tree, it may take 80 GB")
    parser.add_argument("--model", choices=MODELS, default="1.3b")
    parser.add_argument("--layers", type=int, help="of the transformer (all)")
    parser.add_argument("--text-layers", type=int, help="of UMT5-XXL (all)")
    arguments = parser.parse_args()
    if ROOT in arguments.folder.resolve().parents:
        raise SystemExit(f"{arguments.folder} is inside the work tree")
    if arguments.folder.exists():
        raise SystemExit(f"{arguments.folder} exists")
    write_model(arguments.folder, arguments.model, arguments.layers, arguments.text_layers)


if __name__ == "__main__":
    main()
