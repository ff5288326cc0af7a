"""The demo model's text encoder and transformer: created as Diffusers and transformers know them, run for training.

`velocity` is WanTransformer3DModel.forward with two liberties that change no number: a batch's captions are padded to
the longest of them, and the rest of the 512 places, which are all alike, stand as one key with the weight of all.
"""

import math

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

import vae
import world

TEXT_WIDTH, PLACES = 128, 512
NO_TARGET = -100  # that cross_entropy leaves out


def text_encoder(vocabulary):
    torch.manual_seed(1)
    return UMT5EncoderModel(
        UMT5Config(
            vocab_size=vocabulary,
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=256,
            num_layers=4,
            num_heads=4,
            dropout_rate=0.0,
            relative_attention_num_buckets=32,
            relative_attention_max_distance=64,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
            use_cache=False,
        )
    )


def transformer(patch):
    """A token is `patch` latents wide and high."""
    torch.manual_seed(2)
    model = WanTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=64,
        in_channels=vae.Z,
        out_channels=vae.Z,
        text_dim=TEXT_WIDTH,
        freq_dim=128,
        ffn_dim=768,
        num_layers=6,
        rope_max_seq_len=128 // patch,
        patch_size=(1, patch, patch),
    )
    for block in model.blocks:  # each block begins as almost nothing
        for layer in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[2]):
            torch.nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * len(model.blocks)))
    torch.nn.init.zeros_(model.proj_out.weight)
    torch.nn.init.zeros_(model.proj_out.bias)
    return model


def finer(weights):
    """Of a transformer of patches of 2×2 latents, for one of single latents: it begins with what a patch said on average."""
    into, out, bias = (f"transformer.{k}" for k in ("patch_embedding.weight", "proj_out.weight", "proj_out.bias"))
    mean = lambda rows: rows.unflatten(0, (4, vae.Z)).mean(0)
    return weights | {into: weights[into].sum((3, 4), keepdim=True), out: mean(weights[out]), bias: mean(weights[bias])}


class Attributes(torch.nn.Module):
    """Reads out of a caption's states what it tells. Used in training only: it teaches the encoder words early."""

    def __init__(self):
        super().__init__()
        shape = {
            "shape": world.SHAPES,
            "colour": world.COLOURS,
            "motion": world.MOTIONS,
            "effect": world.EFFECTS,
            "colour_2": ("", *world.COLOURS),
        }
        kinds = {f"{i} {k}": tuple(v) if i == 0 else ("", *v) for i in (0, 1) for k, v in shape.items()}
        kinds["1 colour_2"] = ("",)
        kinds["size"] = ("", *world.SIZES)
        kinds["background"] = ("", *world.BACKGROUNDS)
        kinds["tint"] = ("", *world.TINTS)
        kinds["relation"] = ("", *world.RELATIONS)
        kinds["layout"] = ("", "beside", "above")
        self.kinds = kinds
        self.queries = torch.nn.Parameter(torch.randn(len(kinds), TEXT_WIDTH) * 0.05)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(TEXT_WIDTH, len(v)) for v in kinds.values())

    def targets(self, scene, told):
        shapes = {f"{i} {k}": getattr(s, k) for i, s in enumerate(scene.shapes) for k in vars(s)}
        if scene.relation in ("apart", "together"):  # what both do is said once
            shapes["0 motion"] = shapes["1 motion"] = "still"
        values = {**shapes, **told, "relation": scene.relation, "layout": scene.extra.get("layout", "")}
        return [v.index(values.get(k, "")) for k, v in self.kinds.items()]

    def forward(self, states, mask):
        """states [B, L, D], mask [B, L] -> logits, one tensor an attribute."""
        weights = torch.einsum("ad,bld->bal", self.queries, states)
        weights = weights.masked_fill(mask[:, None] == 0, -1e4).softmax(-1)
        read = weights @ states
        return [head(read[:, i]) for i, head in enumerate(self.heads)]

    def loss(self, states, mask, targets):
        """targets [B, attributes], of some captions NO_TARGET; also the share of attributes read rightly."""
        logits = self(states, mask)
        loss = sum(F.cross_entropy(l, targets[:, i]) for i, l in enumerate(logits)) / len(logits)
        right = torch.stack([(l.argmax(-1) == targets[:, i]).float() for i, l in enumerate(logits)], 1)
        return loss, right.sum() / (targets != NO_TARGET).sum()


def _rms(norm, x):
    return F.rms_norm(x.float(), x.shape[-1:], norm.weight, norm.eps)


def _heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _rotate(x, cos, sin):
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def _attention(q, k, v, bias):
    """scaled_dot_product_attention, whose backward pass takes three times as long on a CPU."""
    scores = (q * q.shape[-1] ** -0.5 @ k.mT).float()
    return (scores if bias is None else scores + bias).softmax(-1) @ v


def _attend(attn, x, context, rope=None, bias=None):
    q, k = _rms(attn.norm_q, attn.to_q(x)), _rms(attn.norm_k, attn.to_k(context))
    q, k, v = (_heads(y, attn.heads) for y in (q, k, attn.to_v(context)))
    if rope is not None:
        q, k = _rotate(q, *rope), _rotate(k, *rope)
    y = (_attention if q.is_cpu else F.scaled_dot_product_attention)(q, k, v, bias)
    return attn.to_out[0](y.transpose(1, 2).flatten(2))


def _norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def _block(block, x, context, modulation, rope, bias):
    shift, scale, gate, shift_2, scale_2, gate_2 = (block.scale_shift_table + modulation).unsqueeze(2).unbind(1)
    y = _norm(x) * (1 + scale) + shift
    x = x + gate * _attend(block.attn1, y, y, rope)
    x = x + _attend(block.attn2, block.norm2(x), context, bias=bias)
    y = _norm(x) * (1 + scale_2) + shift_2
    return x + gate_2 * block.ffn.net[2](F.gelu(block.ffn.net[0].proj(y), approximate="tanh"))


def faster(dynamic=None):
    """For training, in this process: the same numbers in less time. `dynamic`: one program for all sizes."""
    global _block
    _block = torch.compile(_block, dynamic=dynamic)


def places_bias(lengths, width):
    """Captions of `lengths` [B] in `width` places: the first free one stands for all up to 512. [B, 1, 1, width]"""
    at = torch.arange(width, device=lengths.device)
    free = torch.log((PLACES - lengths).float())
    bias = torch.where(at == lengths[:, None], free[:, None], 0.0)
    return bias.masked_fill(at > lengths[:, None], -1e9)[:, None, None]


def velocity(model, x, sigma, states, bias, rope=None):
    """x [B, Z, t, h, w], sigma [B] in 0…1, states [B, L, D] with zeros after each caption -> like x."""
    b, _, t, h, w = x.shape
    cos, sin = rope if rope is not None else rope_of(model, x.shape)
    conv = model.patch_embedding
    p = conv.weight.shape[-1]
    patches = x.unflatten(3, (h // p, p)).unflatten(5, (w // p, p)).permute(0, 2, 3, 5, 1, 4, 6)
    y = F.linear(patches.flatten(4).flatten(1, 3), conv.weight.flatten(1), conv.bias).float()
    c = model.condition_embedder
    time = c.time_embedder(c.timesteps_proj(sigma * 1000))
    modulation = c.time_proj(F.silu(time)).unflatten(1, (6, -1))
    context = c.text_embedder(states)
    for block in model.blocks:
        y = _block(block, y, context, modulation, (cos, sin), bias)
    shift, scale = (model.scale_shift_table + time[:, None]).chunk(2, 1)
    y = model.proj_out(_norm(y) * (1 + scale) + shift)
    y = y.view(b, t, h // p, w // p, p, p, -1).permute(0, 6, 1, 2, 4, 3, 5)
    return y.reshape(b, -1, t, h, w)


@torch.no_grad()
def rope_of(model, shape):
    """cos and sin [S, head / 2] of latents of this shape."""
    cos, sin = model.rope(torch.empty(shape))
    return cos[0, :, 0, 0::2].contiguous(), sin[0, :, 0, 0::2].contiguous()


@torch.no_grad()
def check(model):
    """Raises unless `velocity` gives what Diffusers gives."""
    torch.manual_seed(0)
    proj = model.proj_out.weight.clone()
    torch.nn.init.normal_(model.proj_out.weight, std=0.1)
    x, sigma, states = torch.randn(2, vae.Z, 3, 6, 8), torch.tensor([0.3, 0.9]), torch.randn(2, PLACES, TEXT_WIDTH)
    lengths = torch.tensor([5, 9])
    states[torch.arange(PLACES) >= lengths[:, None]] = 0
    ours = velocity(model, x, sigma, states[:, :12], places_bias(lengths, 12))
    theirs = model(x, sigma * 1000, states).sample
    model.proj_out.weight.copy_(proj)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
