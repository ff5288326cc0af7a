#!/usr/bin/env python3
"""Fails on an include that points against the arrows between rooms (src/README.md)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# room: the rooms it may use. The torch rooms are those that use "torch".
SERVER = {
    "base": [],
    "config": ["base"],
    "gen": ["base"],
    "net": ["base"],
    "text": ["base"],
    "media": ["base", "gen"],
    "jobs": ["base", "gen", "media", "net"],
    "store": ["base", "gen", "jobs", "net"],
    "http": ["base", "config", "gen", "jobs"],
}
TORCH = {
    "dist": ["base"],
    "weights": ["base"],
    "kernels": ["base"],
    "residency": ["base", "dist", "weights"],
    "nn": ["base", "dist", "weights", "kernels"],
    "models": ["base", "config", "dist", "weights", "kernels", "residency", "nn"],
    "sampling": ["base", "config"],
    "pipeline": ["base", "config", "gen", "text", "dist", "weights", "kernels", "residency", "nn",
                 "models", "sampling"],
    "engine": ["base", "config", "gen", "dist", "weights", "residency", "pipeline"],
}
TOP = {"cli": [*SERVER, *TORCH]}
ALLOWED = SERVER | TORCH | TOP

# A library that only some files may include: header prefix, the paths that may.
FENCED = [
    (r"CLI/", r"src/cli/"),
    (r"httplib\.h", r"src/http/(stream|parser)|tests/bench/stock_server"),
    (r"spdlog/", r"src/base/"),
    (r"prometheus/", r"src/base/"),
    (r"sqlite3\.h|libpq", r"src/store/"),
    (r"libav|libsw", r"src/media/"),
    (r"torch/torch\.h", r"^$"),
]
TORCH_HEADER = re.compile(r"(ATen|c10|torch|caffe2)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
MAX_LINES = 450


def room_of(path):
    parts = path.parts
    if parts[0] == "include":
        return parts[2]
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return None


def faults_of(path, text):
    room, where = room_of(path), path.as_posix()
    public = path.parts[0] == "include"
    if len(text.splitlines()) > MAX_LINES:
        yield f"{where}: over {MAX_LINES} lines"
    for quote, header in INCLUDE.findall(text):
        for pattern, may in FENCED:
            if re.match(pattern, header) and not re.match(may, where):
                yield f"{where}: {header} may be included only in {may}"
        if room is None:
            continue
        if TORCH_HEADER.match(header) and room in SERVER:
            yield f"{where}: {room} must not include torch ({header})"
        if header.startswith("reel/"):
            other = header.split("/")[1]
            if other != room and other not in ALLOWED[room]:
                yield f"{where}: {room} must not use {other} ({header})"
        elif quote == '"' and public:
            yield f"{where}: a door includes a private header ({header})"


def main():
    faults, files = [], 0
    for top in ("include", "src", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in {".h", ".cpp", ".cu", ".cuh"}:
                continue
            files += 1
            relative = path.relative_to(ROOT)
            room = room_of(relative)
            if room is not None and room not in ALLOWED:
                faults.append(f"{relative}: {room} is no room")
                continue
            faults += faults_of(relative, path.read_text(encoding="utf-8"))
    for fault in faults:
        print(fault)
    print(f"{files} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
