"""Random weights that leave no term neutral, and the proof that each of them matters."""

import torch

NORMS = ("norm", "gamma", "layer_norm")
# Under this relative change of the output a broken parameter could pass unseen.
LEAST_EFFECT = 3e-3


def is_norm(name):
    parts = name.split(".")
    if parts[-1] == "gamma":
        return True
    return parts[-1] == "weight" and any(part.startswith("norm") or part.endswith("norm") for part in parts[:-1])


def randomise(module, seed, gains=None):
    """`gains` maps a substring of a name to a factor; the last that fits counts."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        gain = 1.0
        for part, factor in (gains or {}).items():
            if part in name:
                gain = factor
        if is_norm(name):
            value = 1.0 + 0.35 * noise.clamp(-2, 2) * gain
            if "norm_q" in name or "norm_k" in name:
                value *= 1.6
        elif "scale_shift_table" in name:
            value = 0.5 * gain * noise
        elif "relative_attention_bias" in name or "embed_tokens" in name or name.startswith("shared"):
            value = gain * noise
        elif parameter.ndim < 2:
            value = 0.3 * gain * noise
        else:
            value = noise * gain / parameter[0].numel() ** 0.5
        parameter.data.copy_(value)
    return module.eval().requires_grad_(False)


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def assert_each_matters(module, run, skip=(), least=LEAST_EFFECT):
    """Zeroing any one parameter (a norm weight: set to one) must change what `run()` gives."""
    right = run()
    if not torch.isfinite(right).all() or not 1e-2 < right.abs().mean() < 1e2:
        raise AssertionError(f"the output's mean size is {right.abs().mean()}")
    weakest = ("", float("inf"))
    for name, parameter in module.named_parameters():
        if any(part in name for part in skip):
            continue
        kept = parameter.data.clone()
        parameter.data.fill_(1.0 if is_norm(name) else 0.0)
        effect = relative(run(), right)
        parameter.data.copy_(kept)
        if effect < least:
            raise AssertionError(f"without {name} the output moves by {effect:.1e} only")
        weakest = min(weakest, (name, effect), key=lambda pair: pair[1])
    print(f"  weakest parameter: {weakest[0]}, {weakest[1]:.1e}")
