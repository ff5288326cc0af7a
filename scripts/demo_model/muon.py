"""Muon (Jordan et al., 2024), which makes each step of a matrix orthogonal, with AdamW for what is no matrix."""

import torch
from torch import nn


def _orthogonal(g, steps=5):
    """Nearly U V^T of g = U S V^T: Newton and Schulz' iteration of the fifth order."""
    wide = g.shape[0] <= g.shape[1]
    x = g if wide else g.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if wide else x.T


class _Matrices(torch.optim.Optimizer):
    """A kernel is taken as the matrix [out, rest]. Steps have the size of AdamW's, so that one rate does for both."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                m = self.state[p]["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = _orthogonal(p.grad.lerp(m, group["momentum"]).flatten(1))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view_as(p), alpha=-group["lr"] * 0.2 * max(update.shape) ** 0.5)


class Muon:
    """For the trained weights of `model`: linear layers and convolutions are matrices, but those with an edge's name."""

    def __init__(self, model, weight_decay=0.0, edges=()):
        layers = (nn.Linear, nn.Conv2d, nn.Conv3d)
        inner = {m.weight for n, m in model.named_modules() if isinstance(m, layers) and not any(e in n for e in edges)}
        trained = [p for p in model.parameters() if p.requires_grad]
        self.parts = (
            _Matrices([p for p in trained if p in inner], lr=0, momentum=0.95, weight_decay=weight_decay),
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
