"""The GPU that is measured on, and what it runs."""

import platform
import subprocess
from importlib.metadata import version

import torch

CLOCKS = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "clocks_event_reasons.active")


def smi(*fields):
    query = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "--id=0"]
    return subprocess.run(query, capture_output=True, text=True).stdout.strip()


def clocks(device):
    return smi(*CLOCKS) if device == "cuda" else ""


def gpu_gib(device):
    return torch.cuda.get_device_properties(0).total_memory / 2**30 if device == "cuda" else float("inf")


def about(device):
    found = {"python": platform.python_version(), "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    found |= {library: version(library) for library in ("torch", "diffusers", "transformers", "accelerate", "numpy")}
    if device == "cuda":
        found["gpu"] = smi("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm")
    return found
