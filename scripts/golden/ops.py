"""Single operations, with the numbers that decide between look-alikes."""

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import Timesteps
from diffusers.models.normalization import FP32LayerNorm
from diffusers.utils.torch_utils import randn_tensor
from transformers.activations import NewGELUActivation
from transformers.models.umt5.modeling_umt5 import UMT5LayerNorm

import goldenfile
from layers import noise


def operations():
    x = 2 * noise(401, 2, 5, 12)
    weight, bias = 1 + noise(402, 12), noise(403, 12)
    scale, shift = noise(404, 2, 1, 12), noise(405, 2, 1, 12)
    t5 = UMT5LayerNorm(12, eps=1e-5)
    t5.weight.data.copy_(weight)
    affine = FP32LayerNorm(12, eps=1e-5)
    affine.weight.data.copy_(weight)
    affine.bias.data.copy_(bias)
    bare = FP32LayerNorm(12, eps=1e-5, elementwise_affine=False)
    steps = torch.tensor([999.0, 937.5, 1.0, 0.0])
    cond, uncond = noise(406, 1, 4, 2, 3), noise(407, 1, 4, 2, 3)
    mean, std = torch.tensor([0.3, -0.7, 1.1, 0.05]), torch.tensor([2.8184, 0.4541, 1.3275, 0.9])
    latents = noise(408, 1, 4, 2, 2, 3)
    inverse = (1.0 / std).view(1, 4, 1, 1, 1)
    tensors = {
        "in.x": x,
        "in.weight": weight,
        "in.bias": bias,
        "in.scale": scale,
        "in.shift": shift,
        "out.gelu_tanh": F.gelu(x, approximate="tanh"),
        "out.gelu_new": NewGELUActivation()(x),
        "out.gelu_erf": F.gelu(x),
        "out.silu": F.silu(x),
        "out.t5_norm": t5(x),
        "out.rms_norm": F.rms_norm(x, (12,), weight, 1e-5),
        "out.layer_norm": affine(x),
        "out.modulated": bare(x) * (1 + scale) + shift,
        "in.timesteps": steps,
        "out.sinusoid": Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)(steps),
        "in.cond": cond,
        "in.uncond": uncond,
        "out.guided": uncond + 5.0 * (cond - uncond),
        "in.latents": latents,
        "in.latents_mean": mean,
        "in.latents_std": std,
        "out.denormalised": latents / inverse + mean.view(1, 4, 1, 1, 1),
    }
    goldenfile.write("ops", tensors, source="torch, diffusers, transformers", eps="1e-5", guidance_scale="5.0")


def initial_noise():
    """One shape of a multiple of 16 elements, one that is not: the end is drawn in another way."""
    tensors = {}
    for seed in (0, 1234, 2**32 - 1, 2**32 + 1234):
        for name, shape in (("whole", (1, 16, 2, 4, 6)), ("ragged", (1, 3, 3, 5, 7)), ("few", (1, 1, 1, 3, 3))):
            generator = torch.Generator("cpu").manual_seed(seed)
            tensors[f"out.{name}.{seed}"] = randn_tensor(shape, generator=generator, dtype=torch.float32)
    if not torch.equal(tensors["out.whole.1234"], tensors[f"out.whole.{2**32 + 1234}"]):
        raise AssertionError("the high bits of the seed count")
    origin = goldenfile.source("diffusers.utils.torch_utils.randn_tensor")
    goldenfile.write("noise", tensors, source=origin, names="out.<shape>.<seed>")


MINTS = {"ops": operations, "noise": initial_noise}
