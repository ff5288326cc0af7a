"""The demo model's VAE: Diffusers' AutoencoderKLWan, run over whole clips at once.

Diffusers works through a clip in parts, with a cache of features; over a whole clip in one pass the same numbers
come out (`check`), several times faster and with gradients.
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanResample, WanRMS_norm

CONFIG = dict(
    base_dim=8,
    z_dim=16,
    dim_mult=[2, 3, 4, 8],
    num_res_blocks=1,
    attn_scales=[],
    temperal_downsample=[False, True, True],
)
Z = CONFIG["z_dim"]
NARROW = dict(dim_mult=[1, 2, 4, 8])  # begins with fewer channels where a frame is large


def create(seed=0, **config):
    """Begins as an image VAE that knows nothing of time: of each kernel only the last frame's part is not zero."""
    torch.manual_seed(seed)
    model = AutoencoderKLWan(**{**CONFIG, **config})
    for name, layer in model.named_modules():
        if not isinstance(layer, WanCausalConv3d) or layer.kernel_size[0] == 1:
            continue
        if name.endswith("time_conv"):
            same = torch.eye(layer.in_channels)[:, :, None, None]
            layer.weight.data.zero_()
            layer.weight.data[:, :, 2] = same.repeat(layer.out_channels // layer.in_channels, 1, 1, 1)
        else:
            layer.weight.data[:, :, :2] = 0
    return innermost_channels(model)


@torch.no_grad()
def widen(narrow, model):
    """Gives `model` what `narrow` has learned, number for number: the channels it has more begin as zeros."""
    learned = narrow.state_dict()
    for name, p in model.named_parameters():
        if name not in learned:  # a shortcut where widths were the same
            p.zero_()
            if p.dim() > 1:
                p[: p.shape[1], :, 0, 0, 0] = torch.eye(p.shape[1])
            continue
        old = learned[name]
        if name.endswith("gamma"):
            p[: len(old)] = old * (len(old) / len(p)) ** 0.5
            continue
        p[len(old) :] = 0
        p[tuple(slice(n) for n in old.shape)] = old
    x = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    mean, _ = encode(narrow, x)
    torch.testing.assert_close(encode(model, x)[0], mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(decode(model, mean), decode(narrow, mean), rtol=1e-4, atol=1e-4)


def innermost_channels(model):
    for p in model.parameters():
        if p.dim() in (4, 5):
            p.data = p.data.contiguous(memory_format=torch.channels_last if p.dim() == 4 else torch.channels_last_3d)
    return model


class _Norm(torch.autograd.Function):
    """WanRMS_norm in fewer passes over memory."""

    @staticmethod
    def forward(ctx, x, gain):
        r = x.square().sum(1, keepdim=True).clamp_min_(1e-24).rsqrt_()
        n = x * r
        ctx.save_for_backward(n, r, gain)
        return n * gain

    @staticmethod
    def backward(ctx, dy):
        n, r, gain = ctx.saved_tensors
        d = dy * gain
        dgain = (dy * n).sum((0, *range(2, dy.dim()))).view_as(gain)
        return (d - n * (d * n).sum(1, keepdim=True)) * r, dgain


def _convolve(layer, x, cache_x=None):
    """A frame alone meets only the last part of the kernel."""
    if x.shape[2] == 1 and cache_x is None and layer.kernel_size[1] == 3:
        return F.conv2d(x[:, :, 0], layer.weight[:, :, 2], layer.bias, padding=1).unsqueeze(2)
    return _plain_convolve(layer, x, cache_x)


_plain_convolve = WanCausalConv3d.forward


def faster():
    """For training, in this process: the same numbers in less time."""
    WanRMS_norm.forward = lambda norm, x: _Norm.apply(x, norm.gamma * norm.scale)
    WanCausalConv3d.forward = _convolve


def _resample(layer, x):
    first, mode = x[:, :, :1], layer.mode
    if mode == "upsample3d" and x.shape[2] > 1:
        later = layer.time_conv(x[:, :, 1:])
        b, _, t, h, w = later.shape
        later = later.view(b, 2, -1, t, h, w).permute(0, 2, 3, 1, 4, 5).reshape(b, -1, 2 * t, h, w)
        x = torch.cat([first, later], 2)
    b, c, t, h, w = x.shape
    x = layer.resample(x.transpose(1, 2).reshape(b * t, c, h, w))
    x = x.view(b, t, *x.shape[1:]).transpose(1, 2)
    if mode == "downsample3d" and t > 1:
        conv = layer.time_conv
        later = F.conv3d(x, conv.weight, conv.bias, stride=conv.stride)
        x = torch.cat([x[:, :, :1], later], 2)
    return x


def _layers(layers, x):
    for layer in layers:
        x = _resample(layer, x) if isinstance(layer, WanResample) else layer(x)
    return x


def encode(vae, x):
    """Frames [B, 3, T, H, W] in -1…1 -> mean and log-variance, each [B, Z, t, h, w]."""
    e = vae.encoder
    x = e.mid_block(_layers(e.down_blocks, e.conv_in(x)))
    x = vae.quant_conv(e.conv_out(e.nonlinearity(e.norm_out(x))))
    return x.chunk(2, 1)


def decode(vae, z):
    """Latents as the encoder gives them [B, Z, t, h, w] -> frames [B, 3, T, H, W], not clamped."""
    d = vae.decoder
    x = d.mid_block(d.conv_in(vae.post_quant_conv(z)))
    for block in d.up_blocks:
        x = _layers(block.resnets, x)
        x = _layers(block.upsamplers or [], x)
    return d.conv_out(d.nonlinearity(d.norm_out(x)))


@torch.no_grad()
def check(vae):
    """Raises unless the pass over a whole clip gives what Diffusers gives."""
    x = torch.rand(1, 3, 9, 32, 48) * 2 - 1
    mean, spread = encode(vae, x)
    torch.testing.assert_close(mean, vae.encode(x).latent_dist.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(decode(vae, mean).clamp(-1, 1), vae.decode(mean).sample, rtol=1e-4, atol=1e-4)
