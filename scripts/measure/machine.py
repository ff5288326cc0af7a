"""What the figures were measured on and with."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEED_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
LIBRARIES = ("torch", "diffusers", "transformers", "safetensors", "numpy")


def output(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def machine(device):
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    first = {key.strip(): value.strip() for key, _, value in reversed(lines)}
    memory = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    found = {
        "cpu": first.get("model name", platform.processor()),
        "cpu_family_model": f"{first.get('cpu family')}/{first.get('model')}",
        "cores": sum(key.strip() == "processor" for key, _, _ in lines),
        "flags": [flag for flag in SPEED_FLAGS if flag in first.get("flags", "").split()],
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
    }
    if device == "cuda":
        query = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
        found["gpu"] = output(*query)
    return found


def versions():
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", "src", "include", "CMakeLists.txt")
    commit = output("git", "rev-parse", "--short=12", "HEAD")
    return {
        "reel": commit + ("+changes" if changed else ""),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }
