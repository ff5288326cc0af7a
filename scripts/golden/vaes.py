"""The VAE: its pieces with their own weights, and whole decoders and encoders of the model folders."""

import functools
import json

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders import autoencoder_kl_wan as wan

import goldenfile
import models
import weights
from goldenfile import GOLDENS, MODELS, source
from layers import noise


def piece(name, layers, cases, config, skip=()):
    """`layers`: name → module; `cases`: name → (layer's name or None, inputs, run). Outputs may be several."""
    tensors = {}
    for index, (key, layer) in enumerate(layers.items()):
        weights.randomise(layer, 200 + index, models.VAE_GAINS)
        tensors.update(goldenfile.weights(layer, f"w.{key}." if len(layers) > 1 else "w."))
    for key, (layer, inputs, run) in cases.items():
        for part, tensor in inputs.items():
            tensors[f"in.{key}.{part}"] = tensor
        for part, tensor in run().items():
            tensors[f"out.{key}.{part}"] = tensor
        if layer:
            everything = lambda: torch.cat([tensor.flatten() for tensor in run().values()])
            weights.assert_each_matters(layers[layer], everything, skip)
    origin = source(f"diffusers.models.autoencoders.autoencoder_kl_wan.{config['class']}")
    goldenfile.write(name, tensors, source=origin, config=config)


def chunked(layer, chunks, slots):
    """One chunk of frames after the other, through one feature cache, as the decoder does."""
    cache = [None] * slots
    outputs = {}
    for index, chunk in enumerate(chunks):
        outputs[f"chunk.{index}"] = layer(chunk, feat_cache=cache, feat_idx=[0])
    for slot, tensor in enumerate(cache):
        outputs[f"cache.{slot}"] = tensor
    return outputs


def chunks(seed, frames, *shape):
    channels, height, width = shape
    return [noise(seed + index, 1, channels, count, height, width) for index, count in enumerate(frames)]


def causal_conv():
    layers = {"cube": wan.WanCausalConv3d(5, 4, 3, padding=1), "time": wan.WanCausalConv3d(5, 4, (3, 1, 1), padding=(1, 0, 0))}
    x, one, two = noise(211, 2, 5, 3, 4, 6), noise(212, 2, 5, 1, 4, 6), noise(213, 2, 5, 2, 4, 6)
    cases = {}
    for key, layer in layers.items():
        cases[f"{key}.plain"] = (key, {"x": x}, lambda layer=layer: {"x": layer(x)})
        cases[f"{key}.cache1"] = (None, {"x": x, "cache": one}, lambda layer=layer: {"x": layer(x, one)})
        cases[f"{key}.cache2"] = (None, {"x": x, "cache": two}, lambda layer=layer: {"x": layer(x, two)})
    piece("vae-causal-conv", layers, cases, {"class": "WanCausalConv3d", "cube": "3x3x3", "time": "3x1x1"})


def rms_norm():
    layers = {"video": wan.WanRMS_norm(5, images=False), "image": wan.WanRMS_norm(5)}
    x, y = noise(221, 2, 5, 3, 2, 4), noise(222, 2, 5, 3, 4)
    x[0, :, 0, 0, 0] = 0
    cases = {
        "video": ("video", {"x": x}, lambda: {"x": layers["video"](x)}),
        "image": ("image", {"x": y}, lambda: {"x": layers["image"](y)}),
    }
    piece("vae-rms-norm", layers, cases, {"class": "WanRMS_norm"})


def resample():
    modes = ("upsample2d", "upsample3d", "downsample2d", "downsample3d")
    layers = {mode: wan.WanResample(6, mode) for mode in modes}
    layers["upsample3d_wide"] = wan.WanResample(6, "upsample3d", upsample_out_dim=6)
    parts = chunks(231, (1, 1, 1, 2, 1), 6, 3, 4)
    down = chunks(236, (1, 4, 4), 6, 4, 6)
    cases = {}
    for key, layer in layers.items():
        given = down if key == "downsample3d" else parts if "3d" in key else parts[:2]
        inputs = {f"chunk.{index}": chunk for index, chunk in enumerate(given)}
        slots = 1 if "3d" in key else 0
        cases[key] = (key, inputs, lambda layer=layer, given=given, slots=slots: chunked(layer, given, slots))
    piece("vae-resample", layers, cases, {"class": "WanResample", "dim": 6, "modes": list(layers)})


def residual_block():
    layers = {"same": wan.WanResidualBlock(4, 4), "wider": wan.WanResidualBlock(4, 6)}
    parts = chunks(241, (1, 1, 2, 1, 4), 4, 3, 4)
    inputs = {f"chunk.{index}": chunk for index, chunk in enumerate(parts)}
    cases = {}
    for key, layer in layers.items():
        cases[key] = (key, inputs, lambda layer=layer: chunked(layer, parts, 2))
        cases[f"{key}.no_cache"] = (None, {"x": parts[4]}, lambda layer=layer: {"x": layer(parts[4])})
    piece("vae-residual-block", layers, cases, {"class": "WanResidualBlock", "same": [4, 4], "wider": [4, 6]})


def attention_block():
    layers = {"attention": wan.WanAttentionBlock(6)}
    x = noise(251, 2, 6, 3, 4, 5)
    cases = {"block": ("attention", {"x": x}, lambda: {"x": layers["attention"](x)})}
    piece("vae-attention", layers, cases, {"class": "WanAttentionBlock", "dim": 6})


def shortcuts():
    shapes = {"space": (4, 2, 1, 2), "both": (4, 6, 2, 2), "widen": (2, 8, 2, 2), "none": (4, 4, 1, 1)}
    x = {2: noise(261, 1, 2, 2, 4, 6), 4: noise(262, 1, 4, 2, 4, 6)}
    cases = {}
    for key, (inner, outer, time, space) in shapes.items():
        up = wan.DupUp3D(inner, outer, time, space)
        cases[f"up.{key}"] = (None, {"x": x[inner]}, lambda up=up, y=x[inner]: {"x": up(y), "first": up(y, True)})
    for key, (inner, outer, time, space) in {"space": (4, 8, 1, 2), "both": (4, 8, 2, 2), "none": (4, 2, 1, 1)}.items():
        down = wan.AvgDown3D(inner, outer, time, space)
        one = x[inner][:, :, :1].clone()
        runs = lambda down=down, y=x[inner], one=one: {"x": down(y), "one_frame": down(one)}
        cases[f"down.{key}"] = (None, {"x": x[inner]}, runs)
    config = {"class": "DupUp3D, AvgDown3D", "up": shapes, "order": "in, out, time factor, space factor"}
    config["down"] = {"space": (4, 8, 1, 2), "both": (4, 8, 2, 2), "none": (4, 2, 1, 1)}
    piece("vae-shortcuts", {}, cases, config)


def patches():
    video, folded = noise(271, 2, 3, 2, 4, 6), noise(272, 2, 12, 2, 2, 3)
    cases = {
        "patchify": (None, {"x": video}, lambda: {"x": wan.patchify(video, 2)}),
        "unpatchify": (None, {"x": folded}, lambda: {"x": wan.unpatchify(folded, 2)}),
    }
    piece("vae-patches", {}, cases, {"class": "patchify, unpatchify", "patch_size": 2})


def whole(name, folder, frames, size, tiled_size, tile, encode_tile):
    path = f"models/{folder}/vae"
    model = AutoencoderKLWan.from_pretrained(MODELS / folder / "vae").eval()
    config = json.loads((GOLDENS / path / "config.json").read_text())
    z = noise(281, 1, model.config.z_dim, frames, *size)
    full = model.decode(z).sample
    for count in range(1, frames):
        part = model.decode(z[:, :, :count]).sample
        torch.testing.assert_close(part, full[:, :, : part.shape[2]], rtol=0, atol=1e-5)
    tiled_z = noise(282, 1, model.config.z_dim, 2, *tiled_size)
    whole_frames = model.decode(tiled_z).sample
    model.enable_tiling(**tile)
    tiled = model.decode(tiled_z).sample
    model.use_tiling = False
    apart = weights.relative(tiled, whole_frames)
    clamped = (full.abs() == 1).float().mean().item()
    print(f"  tiled against whole: {apart:.1e}; clamped {clamped:.1%}")
    if apart < 0.02 or not clamped:
        raise AssertionError("tiling or clamping makes no difference here")
    goldenfile.write(
        f"{name}-decode",
        {"in.z": z, "out.frames": full, "in.tiled.z": tiled_z, "out.tiled.frames": tiled},
        source=source("diffusers.AutoencoderKLWan"),
        model=path,
        config=config,
        tile=tile,
    )
    ratio = model.config.scale_factor_spatial
    video = noise(283, 1, 3, 13, size[0] * ratio, size[1] * ratio).clamp(-1, 1)
    tiled_video = noise(284, 1, 3, 13, tiled_size[0] * ratio, tiled_size[1] * ratio).clamp(-1, 1)
    encode = lambda: model._encode(video)
    weights.assert_each_matters(model.encoder, encode)
    weights.assert_each_matters(model.quant_conv, encode)
    whole_mode = model.encode(tiled_video).latent_dist.mode()
    model.enable_tiling(**encode_tile)
    tiled_mode = model.encode(tiled_video).latent_dist.mode()
    model.use_tiling = False
    apart = weights.relative(tiled_mode, whole_mode)
    print(f"  tiled encoder against whole: {apart:.1e}")
    if apart < 0.02:
        raise AssertionError("tiling makes no difference here")
    right = model.encode(video).latent_dist.mode()
    half = AutoencoderKLWan.from_pretrained(MODELS / folder / "vae", torch_dtype=torch.bfloat16)
    half = half.encode(video.bfloat16()).latent_dist.mode()
    print(f"  encoder in bf16: {weights.relative(half.float(), right):.1e}")
    goldenfile.write(
        f"{name}-encode",
        {
            "in.video": video,
            "out.mode": right,
            "out.bf16.mode": half,
            "in.tiled.video": tiled_video,
            "out.tiled.mode": tiled_mode,
        },
        source=source("diffusers.AutoencoderKLWan"),
        model=path,
        config=config,
        tile=encode_tile,
    )


def tile(min_height, min_width, stride_height, stride_width):
    return dict(
        tile_sample_min_height=min_height,
        tile_sample_min_width=min_width,
        tile_sample_stride_height=stride_height,
        tile_sample_stride_width=stride_width,
    )


MINTS = {
    "vae-causal-conv": causal_conv,
    "vae-rms-norm": rms_norm,
    "vae-resample": resample,
    "vae-residual-block": residual_block,
    "vae-attention": attention_block,
    "vae-shortcuts": shortcuts,
    "vae-patches": patches,
    "vae21": functools.partial(whole, "vae21", "a14b-tiny", 5, (2, 3), (4, 7), *2 * [tile(24, 32, 16, 24)]),
    "vae22": functools.partial(whole, "vae22", "ti2v-5b-tiny", 4, (1, 2), (2, 3), tile(32, 32, 16, 16), tile(16, 16, 8, 8)),
}
