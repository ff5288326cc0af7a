"""Safetensors written tensor by tensor, in shards as published: no more than one tensor is ever in memory."""

import json
import struct

LARGEST_SHARD = 5_000_000_000
BYTES = 2  # bf16


def size_of(shape):
    count = 1
    for axis in shape:
        count *= axis
    return count * BYTES


def split(shapes):
    """Groups of names in their order, none over LARGEST_SHARD unless it is one tensor."""
    groups, filled = [[]], 0
    for name, shape in shapes.items():
        if groups[-1] and filled + size_of(shape) > LARGEST_SHARD:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size_of(shape)
    return groups


def write_file(path, shapes, values):
    """`values(name, shape)` yields the bytes of one bf16 tensor in pieces."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size_of(shape)]}
        at += size_of(shape)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            written = sum(file.write(piece) for piece in values(name, shape))
            if written != size_of(shape):
                raise ValueError(f"{name}: expected {size_of(shape)} bytes, got {written}")


def write(folder, stem, shapes, values):
    """`<stem>.safetensors`, or numbered shards and their index."""
    groups = split(shapes)
    if len(groups) == 1:
        write_file(folder / f"{stem}.safetensors", shapes, values)
        return
    placed = {}
    for number, names in enumerate(groups, 1):
        file = f"{stem}-{number:05}-of-{len(groups):05}.safetensors"
        write_file(folder / file, {name: shapes[name] for name in names}, values)
        placed.update(dict.fromkeys(names, file))
    total = sum(map(size_of, shapes.values()))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(placed.items()))}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
