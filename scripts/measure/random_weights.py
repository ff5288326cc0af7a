"""Random bf16 weights that keep activations near 1. Each tensor depends on its own name and shape only."""

import hashlib

import numpy

# Values that are drawn; longer tensors repeat them. A prime, so that no two rows of a matrix are alike.
TILE = 1_048_573
# The last substring of a name that fits counts.
GAINS = {
    "SelfAttention.q.weight": 1 / 8,  # UMT5 does not divide scores by sqrt(64)
    "decoder.conv_out.weight": 0.3,  # frames stay within -1…1
}


def is_norm(name):
    parts = name.split(".")
    return parts[-1] == "gamma" or (parts[-1] == "weight" and any("norm" in part for part in parts[:-1]))


def mean_and_spread(name, shape):
    gain = 1.0
    for part, factor in GAINS.items():
        if part in name:
            gain = factor
    if is_norm(name):
        return 1.0, 0.1 * gain
    if name == "shared.weight" or "relative_attention_bias" in name:
        return 0.0, gain
    if "scale_shift_table" in name:
        return 0.0, 0.3 * gain
    if len(shape) < 2:
        return 0.0, 0.02 * gain
    inputs = 1
    for axis in shape[1:]:
        inputs *= axis
    return 0.0, gain / inputs**0.5


def to_bf16(values):
    """Rounded to nearest, ties to even."""
    bits = values.view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def pieces(name, shape):
    """The tensor's bytes, in order."""
    count = int(numpy.prod(shape))
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    mean, spread = mean_and_spread(name, shape)
    drawn = numpy.random.Generator(numpy.random.PCG64(seed)).standard_normal(min(count, TILE), dtype=numpy.float32)
    tile = to_bf16(drawn * numpy.float32(spread) + numpy.float32(mean)).tobytes()
    for start in range(0, count, TILE):
        yield tile[: 2 * min(TILE, count - start)]
