"""Weights that no file holds: the same numbers as tests/bench/random_weights.cpp draws."""

import math

import torch

MASK = (1 << 64) - 1


def seed_of(name):
    """FNV-1a."""
    value = 14695981039346656037
    for byte in name.encode():
        value = (value ^ byte) * 1099511628211 & MASK
    return value


def mean_and_spread(name, shape):
    if "norm" in name and name.endswith((".weight", ".gamma")):
        return 1.0, 0.1
    if name == "shared.weight" or "relative_attention_bias" in name:
        return 0.0, 1.0
    if "scale_shift_table" in name:
        return 0.0, 0.3
    if len(shape) < 2:
        return 0.0, 0.02
    gain = 0.125 if "SelfAttention.q." in name else 0.3 if "decoder.conv_out." in name else 1.0
    return 0.0, gain / math.sqrt(math.prod(shape[1:]))


def random(name, shape, device):
    """N(0, 1), fp32."""
    generator = torch.Generator(device).manual_seed(seed_of(name))
    return torch.randn(*shape, generator=generator, device=device)


def fill(model, compute, fp32_parts, device, wanted=lambda name: True):
    """Gives every parameter of a model on the meta device its numbers, in fp32 where a part of its name is in
    `fp32_parts`; what is not wanted is left there. Returns the sum of all magnitudes."""
    total = 0.0
    for name, parameter in list(model.named_parameters()):
        if not wanted(name):
            continue
        mean, spread = mean_and_spread(name, parameter.shape)
        drawn = random(name, parameter.shape, device).mul_(spread).add_(mean).to(torch.bfloat16)
        kept = torch.float32 if any(part in name.split(".") for part in fp32_parts) else compute
        module, _, leaf = name.rpartition(".")
        tensor = torch.nn.Parameter(drawn.to(kept), requires_grad=False)
        setattr(model.get_submodule(module), leaf, tensor)
        total += tensor.abs().sum(dtype=torch.float64).item()
    return total
