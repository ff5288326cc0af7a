"""What is measured: models at their published sizes, and the least work that they are."""

import json
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = 512  # tokens of a prompt, padding included


@dataclass(frozen=True)
class Case:
    """`sizes`: frames, rows and columns of the latents; of UMT5 the tokens."""

    kind: str
    keys: str  # of tests/goldens/keys
    sizes: tuple
    dtype: str = "bf16"
    count: int = 1  # steps, decodes, encodings a turn
    both_gib: int = 0  # of GPU memory that both programs need side by side
    limit_s: int = 240  # of one turn
    profiled: bool = False
    compiled: bool = False
    bound: float = 1e-2  # on the relative L2 between the two programs' outputs
    flops: float = 0  # as torch counts Diffusers' own, where no formula is below
    tiny: dict = field(default_factory=dict)

    def config(self):
        return json.loads((ROOT / "tests/goldens/keys" / f"{self.keys}.json").read_text())["config"]

    def least(self):
        """(FLOPs, bytes) that no program of this arithmetic can do without."""
        return work_of(self.config(), self.sizes) if self.kind == "transformer" else (self.flops, 0)


def work_of(config, sizes):
    """Of a CFG step: two forwards, of which one can do without the first block's attention over the video.

    Bytes: weights, and what goes into each block and out of it.
    """
    width = config["num_attention_heads"] * config["attention_head_dim"]
    ffn, layers = config["ffn_dim"], config["num_layers"]
    tokens = sizes[0] * sizes[1] // 2 * (sizes[2] // 2)
    linear = 2 * tokens * (6 * width**2 + 2 * width * ffn) + 4 * TEXT * width**2
    attention = 4 * tokens * width * (tokens + TEXT)
    shared = 8 * tokens * width**2 + 4 * tokens**2 * width
    weights = 8 * width**2 + 2 * width * ffn
    return 2 * layers * (linear + attention) - shared, 2 * layers * 2 * (weights + 2 * tokens * width)


TINY_TRANSFORMER = dict(num_layers=2, num_attention_heads=2, ffn_dim=512, text_dim=64)
TINY_VAE = dict(base_dim=8)
TINY_UMT5 = dict(d_model=64, d_ff=128, num_layers=2, num_heads=2, d_kv=32, vocab_size=200)
VAE_21 = dict(kind="vae", keys="wan2.1-vae", tiny=TINY_VAE, both_gib=70)
VAE_22 = dict(kind="vae", keys="wan2.2-vae", tiny={**TINY_VAE, "decoder_base_dim": 8}, both_gib=70)
# 40 layers in bf16, 256 wide: Reel and Diffusers are each 1.1e-2 from Diffusers in fp32, and 1e-2 from each other.
TRANSFORMER = dict(kind="transformer", bound=2e-2, tiny=TINY_TRANSFORMER)
LOOKED_INTO = dict(profiled=True, compiled=True, **TRANSFORMER)

# The most valuable first.
STEPS = {
    "1.3b": Case(keys="wan2.1-t2v-1.3b", sizes=(21, 60, 104), count=3, both_gib=30, **LOOKED_INTO),
    "14b": Case(keys="wan2.1-t2v-14b", sizes=(21, 60, 104), count=2, both_gib=74, **LOOKED_INTO),
    "5b": Case(keys="wan2.2-ti2v-5b", sizes=(31, 44, 80), count=2, both_gib=50, **TRANSFORMER),
    "14b-720p": Case(keys="wan2.1-t2v-14b", sizes=(21, 90, 160), both_gib=100, **TRANSFORMER),
    "vae": Case(sizes=(21, 60, 104), count=2, flops=2.75e14, bound=5e-2, profiled=True, **VAE_21),
    "vae-5b": Case(sizes=(31, 44, 80), flops=2.01e15, bound=5e-2, **VAE_22),
    "vae-720p": Case(sizes=(21, 90, 160), flops=6.39e14, bound=5e-2, **VAE_21),
    "umt5": Case("umt5", "umt5-xxl", (100,), count=5, both_gib=40, flops=4.7e12, bound=5e-2, tiny=TINY_UMT5),
    "vae-fp32": Case(sizes=(21, 60, 104), dtype="fp32", flops=2.75e14, **VAE_21),
    "vae-5b-fp32": Case(sizes=(31, 44, 80), dtype="fp32", flops=2.01e15, **VAE_22),
    "vae-720p-fp32": Case(sizes=(21, 90, 160), dtype="fp32", flops=6.39e14, **VAE_21),
}
