"""Muon (Jordan et al., 2024), which makes each step of a matrix orthogonal, with AdamW for what is no matrix."""

import torch
from torch import nn


def _orthogonal(g, dtype, steps=5):
    """Nearly U V^T of each of g [N, rows, columns] = U S V^T: Newton and Schulz' iteration of the fifth order."""
    wide = g.shape[1] <= g.shape[2]
    x = g if wide else g.mT
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x if wide else x.mT).to(g.dtype)


class _Matrices(torch.optim.Optimizer):
    """A kernel is taken as the matrix [out, rest]. Steps have the size of AdamW's, so that one rate does for both."""

    def __init__(self, parameters, dtype, **options):
        super().__init__(parameters, options)
        self.dtype = dtype

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}
            for p in (p for p in group["params"] if p.grad is not None):
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                alike.setdefault((len(p), p.numel() // len(p)), []).append(p)
            for shape, those in alike.items():
                gradients, momenta = [p.grad for p in those], [self.state[p]["momentum"] for p in those]
                torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
                ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
                updates = _orthogonal(torch.stack([g.flatten(1) for g in ahead]), self.dtype)
                torch._foreach_mul_(those, 1 - group["lr"] * group["weight_decay"])
                size = group["lr"] * 0.2 * max(shape) ** 0.5
                torch._foreach_add_(those, [u.view_as(p) for u, p in zip(updates, those)], alpha=-size)


class Muon:
    """For the trained weights of `model`: linear layers and convolutions are matrices, but those with an edge's name.

    `dtype`: that matrices are made orthogonal in.
    """

    def __init__(self, model, weight_decay=0.0, edges=(), dtype=torch.float32):
        layers = (nn.Linear, nn.Conv2d, nn.Conv3d)
        inner = {m.weight for n, m in model.named_modules() if isinstance(m, layers) and not any(e in n for e in edges)}
        trained = [p for p in model.parameters() if p.requires_grad]
        self.parts = (
            _Matrices([p for p in trained if p in inner], dtype, lr=0, momentum=0.95, weight_decay=weight_decay),
            torch.optim.AdamW([p for p in trained if p not in inner], lr=0, betas=(0.9, 0.98), weight_decay=0),
        )

    def step(self, rate):
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state):
        for part, saved in zip(self.parts, state):
            part.load_state_dict(saved)
