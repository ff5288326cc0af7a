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

# name → the tiny model that has the same parts, keys of the transformer, keys of the VAE, flow shift
MODELS = {
    "1.3b": ("t2v-tiny", "wan2.1-t2v-1.3b", "wan2.1-vae", 3.0),
    "14b": ("t2v-tiny", "wan2.1-t2v-14b", "wan2.1-vae", 3.0),
    "i2v-14b": ("i2v-tiny", "wan2.1-i2v-14b", "wan2.1-vae", 3.0),
    "flf2v-14b": ("flf2v-tiny", "wan2.1-flf2v-14b", "wan2.1-vae", 16.0),
    "fun-1.3b-inp": ("i2v-tiny", "wan2.1-fun-1.3b-inp", "wan2.1-vae", 3.0),
    "vace-1.3b": ("vace-tiny", "wan2.1-vace-1.3b", "wan2.1-vae", 3.0),
    "vace-14b": ("vace-tiny", "wan2.1-vace-14b", "wan2.1-vae", 3.0),
    "a14b": ("a14b-tiny", "wan2.2-t2v-a14b", "wan2.1-vae", 3.0),
    "i2v-a14b": ("i2v-a14b-tiny", "wan2.2-i2v-a14b", "wan2.1-vae", 3.0),
    "5b": ("ti2v-5b-tiny", "wan2.2-ti2v-5b", "wan2.2-vae", 5.0),
}
CLIP_CONFIG = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "model_type": "clip_vision_model",
    "dtype": "bfloat16",
}
UMT5_CONFIG = {
    "architectures": ["UMT5EncoderModel"],
    "model_type": "umt5",
    "is_encoder_decoder": False,
    "use_cache": False,
    "dtype": "bfloat16",
}


def unfolded(tensors, layers, control_layers):
    """`blocks.{0..29}.x` becomes `blocks.0.x` … of as many layers as are asked for, block by block."""
    whole, blocks = {}, {}
    for key, shape in tensors.items():
        parts = re.fullmatch(r"(.*\.)?\{0\.\.(\d+)\}(\..*)", key)
        if not parts:
            whole[key] = shape
            continue
        for layer in range(min(int(parts[2]) + 1, control_layers if key.startswith("vace_") else layers)):
            blocks.setdefault(layer, {})[f"{parts[1]}{layer}{parts[3]}"] = shape
    for layer in blocks.values():
        whole.update(layer)
    return whole


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_component(folder, stem, keys, layers=None, extra=None):
    """`layers` None: all."""
    golden = json.loads((GOLDENS / "keys" / f"{keys}.json").read_text())
    config = {**golden["config"], **(extra or {})}
    depth = "num_hidden_layers" if "num_hidden_layers" in config else "num_layers"
    most = config.get(depth, 0)
    layers = layers or most
    if layers > most:
        raise SystemExit(f"{keys}: {most} layers at most, got {layers}")
    if most:
        config[depth] = layers
    if "vace_layers" in config:
        config["vace_layers"] = [layer for layer in config["vace_layers"] if layer < layers]
    if stem == "model":
        config.pop("_class_name")
    folder.mkdir()
    write_json(folder / "config.json", config)
    began = time.monotonic()
    shapes = unfolded(golden["tensors"], layers, len(config.get("vace_layers", ())))
    shards.write(folder, stem, shapes, random_weights.pieces)
    total = sum(map(shards.size_of, shapes.values()))
    print(f"{folder.name}: {len(shapes)} tensors, {total / 1e9:.2f} GB, {time.monotonic() - began:.0f} s", flush=True)


def write_model(folder, name, layers=None, text_layers=None):
    tiny, transformer, vae, shift = MODELS[name]
    pattern = GOLDENS / "models" / tiny
    folder.mkdir(parents=True)
    shutil.copytree(pattern / "tokenizer", folder / "tokenizer")
    scheduler = json.loads((pattern / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", {**scheduler, "flow_shift": shift})
    index = json.loads((pattern / "model_index.json").read_text())
    for expert in ("transformer", "transformer_2"):
        if any(index[expert]):
            write_component(folder / expert, "diffusion_pytorch_model", transformer, layers)
    write_component(folder / "vae", "diffusion_pytorch_model", vae)
    write_component(folder / "text_encoder", "model", "umt5-xxl", text_layers, UMT5_CONFIG)
    if any(index.get("image_encoder", ())):
        write_component(folder / "image_encoder", "model", "clip-vit-h-14", None, CLIP_CONFIG)
        side = json.loads((folder / "image_encoder" / "config.json").read_text())["image_size"]
        processor = json.loads((pattern / "image_processor" / "preprocessor_config.json").read_text())
        processor.update(crop_size={"height": side, "width": side}, size={"shortest_edge": side})
        (folder / "image_processor").mkdir()
        write_json(folder / "image_processor" / "preprocessor_config.json", processor)
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
