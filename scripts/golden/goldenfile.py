"""Where goldens live and how they are written: safetensors files whose bytes depend on their content only."""

import json
import struct
from importlib.metadata import version
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "tests" / "goldens"
MODELS = GOLDENS / "models"
LARGEST = 1_000_000

NAMES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
    torch.bfloat16: "BF16",
}
LIBRARIES = ["torch", "diffusers", "transformers", "tokenizers", "sentencepiece", "ftfy", "numpy"]


def versions():
    return {name: version(name) for name in LIBRARIES}


def source(text):
    """`text` names a class; the library's version is put behind it."""
    library = text.split(".")[0].split()[0]
    return f"{text} ({library} {version(library)})"


def write(name, tensors, **metadata):
    """The safetensors package writes metadata in random order, so the header is written here."""
    texts = {"versions": json.dumps(versions())}
    for key, value in metadata.items():
        texts[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    header = {"__metadata__": dict(sorted(texts.items()))}
    chunks = []
    at = 0
    for key, tensor in tensors.items():
        tensor = tensor.detach().contiguous()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{name}: {key} is not finite")
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        header[key] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        chunks.append(raw)
        at += len(raw)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = GOLDENS / f"{name}.safetensors"
    size = 8 + len(text) + at
    if size > LARGEST:
        raise ValueError(f"{name} has {size} bytes, more than {LARGEST}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def write_json(path, value, indent=None):
    path = GOLDENS / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def write_cases(path, head, cases):
    """{"versions", head…, "cases": […]}, one case a line, ASCII only."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"versions": versions(), **head}.items()]
    rows = ",\n".join(json.dumps(case) for case in cases)
    (GOLDENS / path).write_text("{\n" + ",\n".join(lines) + f',\n"cases": [\n{rows}\n]\n}}\n', encoding="ascii")


def weights(module, prefix="w."):
    return {prefix + key: tensor for key, tensor in module.state_dict().items()}
