"""Layers and networks of the text encoder and the transformer, each with its own weights."""

import torch
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel
from diffusers.models.transformers.transformer_wan import (
    WanAttention,
    WanAttnProcessor,
    WanRotaryPosEmbed,
    WanTimeTextImageEmbedding,
    WanTransformerBlock,
)
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, UMT5Config, UMT5EncoderModel

import goldenfile
import models
import weights
from goldenfile import source


def noise(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def umt5():
    config = dict(
        vocab_size=61,
        d_model=20,
        d_kv=8,
        d_ff=28,
        num_layers=3,
        num_heads=3,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        layer_norm_epsilon=1e-5,
        feed_forward_proj="gated-gelu",
    )
    model = UMT5EncoderModel(UMT5Config(is_encoder_decoder=False, use_cache=False, **config))
    weights.randomise(model, 101, models.TEXT_GAINS)
    draw = torch.Generator().manual_seed(102)
    ids = torch.randint(2, 61, (3, 48), generator=draw)
    mask = torch.zeros(3, 48, dtype=torch.int64)
    for row, length in enumerate((1, 7, 40)):
        ids[row, length - 1] = 1
        ids[row, length:] = 0
        mask[row, :length] = 1
    long_ids = torch.randint(2, 61, (1, 300), generator=draw)
    ones = torch.ones_like(long_ids)
    run = lambda: model(ids, mask).last_hidden_state
    valid = mask.bool()
    weights.assert_each_matters(model, lambda: run()[valid])
    attention = model.encoder.block[0].layer[0].SelfAttention
    distances = torch.arange(-300, 301)
    tensors = goldenfile.weights(model)
    tensors.pop("w.encoder.embed_tokens.weight", None)
    tensors.update(
        {
            "in.ids": ids,
            "in.mask": mask,
            "in.long.ids": long_ids,
            "in.long.mask": ones,
            "in.distances": distances,
            "out.last_hidden_state": run(),
            "out.long.last_hidden_state": model(long_ids, ones).last_hidden_state,
            "out.buckets": attention._relative_position_bucket(distances),
        }
    )
    goldenfile.write("umt5-tiny", tensors, source=source("transformers.UMT5EncoderModel"), config=config)


def clip_vision():
    """Two forms: GELU on a picture of whole patches, quick GELU on one with a rest."""
    tensors, configs = {}, {}
    for index, (form, act, side) in enumerate((("gelu", "gelu", 12), ("quick", "quick_gelu", 15))):
        config = dict(
            hidden_size=20,
            intermediate_size=28,
            num_hidden_layers=4,
            num_attention_heads=2,
            image_size=side,
            patch_size=4,
            hidden_act=act,
            layer_norm_eps=1e-5,
        )
        model = weights.randomise(CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=12, **config)), 191 + index, models.CLIP_GAINS)
        pixels = noise(193 + index, 2, 3, side, side)
        run = lambda: model(pixels, output_hidden_states=True).hidden_states[-2]
        weights.assert_each_matters(model, run, skip=("layers.3.", "post_layernorm", "visual_projection", "k_proj.bias"))
        tensors.update(goldenfile.weights(model, f"w.{form}."))
        tensors.update({f"in.{form}.pixels": pixels, f"out.{form}.hidden": run()})
        configs[form] = config
    goldenfile.write("clip-vision-tiny", tensors, source=source("transformers.CLIPVisionModelWithProjection"), config=configs)


def rope_table(dim, frames, height, width):
    rope = WanRotaryPosEmbed(dim, (1, 2, 2), 128)
    return rope(torch.zeros(1, 1, frames, 2 * height, 2 * width))


def rope():
    tensors = {}
    for dim in (8, 12, 24, 128):
        for grid in ((1, 2, 3), (3, 2, 4)):
            cos, sin = rope_table(dim, *grid)
            name = f"{dim}.{'x'.join(map(str, grid))}"
            tensors[f"out.{name}.cos"] = cos
            tensors[f"out.{name}.sin"] = sin
    for grid in ((100, 1, 1), (1, 100, 1), (1, 1, 100)):
        cos, sin = rope_table(12, *grid)
        tensors[f"out.12.{'x'.join(map(str, grid))}.cos"] = cos
        tensors[f"out.12.{'x'.join(map(str, grid))}.sin"] = sin
    config = {"patch_size": [1, 2, 2], "max_seq_len": 128, "names": "out.<head dim>.<frames>x<rows>x<columns of tokens>"}
    goldenfile.write("wan-rope", tensors, source=source("diffusers.WanRotaryPosEmbed"), config=config)


def time_text():
    config = {"dim": 36, "time_freq_dim": 20, "time_proj_dim": 216, "text_embed_dim": 20}
    layer = weights.randomise(WanTimeTextImageEmbedding(**config), 111, models.TRANSFORMER_GAINS)
    text = noise(112, 2, 7, 20)
    text[1, 4:] = 0
    steps = {
        "int": torch.tensor([999, 1]),
        "float": torch.tensor([909.70703125, 24.4140625]),
        "tokens": torch.tensor([[0.0, 0.0, 750.0, 750.0, 999.0], [0.0, 937.0, 937.0, 1.0, 500.5]]),
    }
    run = lambda: torch.cat([part.flatten() for part in layer(steps["int"], text)[:3]])
    weights.assert_each_matters(layer, run)
    tensors = {**goldenfile.weights(layer), "in.text": text}
    for name, step in steps.items():
        per_token = step.ndim == 2
        temb, proj, out_text, _ = layer(step.flatten(), text, timestep_seq_len=step.shape[1] if per_token else None)
        tensors[f"in.{name}.timestep"] = step
        tensors[f"out.{name}.sinusoid"] = layer.timesteps_proj(step.flatten()).unflatten(0, step.shape)
        tensors[f"out.{name}.temb"] = temb
        tensors[f"out.{name}.time_proj"] = proj
        tensors["out.text"] = out_text
    goldenfile.write("wan-time-text", tensors, source=source("diffusers.WanTimeTextImageEmbedding"), config=config)


def attention(name, dim, heads, batch, grid, dtype=torch.float32):
    """Self-attention with rope; in fp32 cross-attention too, without."""
    cos, sin = rope_table(dim // heads, *grid)
    hidden, text = noise(121, batch, cos.shape[1], dim), noise(122, batch, 9, dim)
    own = dict(dim=dim, heads=heads, dim_head=dim // heads, eps=1e-5, processor=WanAttnProcessor())
    parts = {"self": WanAttention(**own)}
    if dtype == torch.float32:
        parts["cross"] = WanAttention(**own, cross_attention_dim_head=dim // heads)
    runs = {
        "self": lambda: parts["self"](hidden, None, None, (cos, sin)),
        "cross": lambda: parts["cross"](hidden, text),
    }
    tensors = {"in.hidden": hidden, "in.cos": cos, "in.sin": sin}
    if "cross" in parts:
        tensors["in.text"] = text
    for index, (part, layer) in enumerate(parts.items()):
        weights.randomise(layer, 123 + index, models.TRANSFORMER_GAINS)
        for parameter in layer.parameters():
            parameter.data = parameter.data.to(dtype).float()
        weights.assert_each_matters(layer, runs[part])
        tensors.update({key: tensor.to(dtype) for key, tensor in goldenfile.weights(layer, f"w.{part}.").items()})
        tensors[f"out.{part}"] = runs[part]()
    seen = {}
    parts["self"].norm_q.register_forward_hook(lambda _, inputs, output: seen.update(q=output))
    runs["self"]()
    query = seen["q"].unflatten(2, (heads, -1))
    even, odd = query[..., 0::2], query[..., 1::2]
    turned = torch.stack((even * cos[..., 0::2] - odd * sin[..., 1::2], even * sin[..., 1::2] + odd * cos[..., 0::2]), -1)
    tensors["out.self.normed_query"] = seen["q"]
    tensors["out.self.turned_query"] = turned.flatten(-2)
    config = {"dim": dim, "num_attention_heads": heads, "eps": 1e-5, "grid": grid}
    goldenfile.write(name, tensors, source=source("diffusers.WanAttention"), config=config)


def block():
    dim, tokens = 36, 30
    config = {"dim": dim, "ffn_dim": 28, "num_heads": 3, "cross_attn_norm": True, "eps": 1e-5}
    layer = weights.randomise(WanTransformerBlock(**config), 131, models.TRANSFORMER_GAINS)
    rotary = rope_table(12, 3, 2, 5)
    hidden, text = noise(132, 2, tokens, dim), noise(133, 2, 9, dim)
    time, token_time = 0.5 * noise(134, 2, 6, dim), 0.5 * noise(135, 2, tokens, 6, dim)
    run = lambda: layer(hidden, text, time, rotary)
    weights.assert_each_matters(layer, run)
    tensors = {
        **goldenfile.weights(layer),
        "in.hidden": hidden,
        "in.text": text,
        "in.cos": rotary[0],
        "in.sin": rotary[1],
        "in.time_proj": time,
        "in.tokens.time_proj": token_time,
        "out.hidden": run(),
        "out.tokens.hidden": layer(hidden, text, token_time, rotary),
    }
    layer.norm2 = torch.nn.Identity()
    tensors["out.without_norm2.hidden"] = run()
    goldenfile.write("wan-block", tensors, source=source("diffusers.WanTransformerBlock"), config=config)


def transformer(name, seed, latents, steps, views=None, kind=WanTransformer3DModel, inputs=None, **changes):
    """`views`: what the image encoder gives; the text then has all its 512 places. `inputs`: what `kind` takes besides."""
    config = dict(
        patch_size=[1, 2, 2],
        num_attention_heads=3,
        attention_head_dim=12,
        in_channels=6,
        out_channels=4,
        text_dim=20,
        freq_dim=20,
        ffn_dim=28,
        num_layers=3,
        eps=1e-5,
        rope_max_seq_len=40,
    )
    config.update(changes)
    model = weights.randomise(kind(**config), seed, models.TRANSFORMER_GAINS)
    inputs = inputs or {}
    text = noise(seed + 2, latents.shape[0], 11 if views is None else 512, config["text_dim"])
    text[-1, 6:] = 0
    run = lambda step, text=text: model(latents, step, text, views, return_dict=False, **inputs)[0]
    weights.assert_each_matters(model, lambda: run(next(iter(steps.values()))))
    hidden = []
    for layer in model.blocks:
        layer.register_forward_hook(lambda _, inputs, output: hidden.append(output))
    model.blocks[0].register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))
    tensors = {**goldenfile.weights(model), "in.latents": latents, "in.text": text}
    tensors.update({f"in.{key}": value for key, value in inputs.items()})
    for which, step in steps.items():
        hidden.clear()
        tensors[f"in.{which}.timestep"] = step
        tensors[f"out.{which}.sample"] = run(step)
        if which == next(iter(steps)):
            tensors[f"out.{which}.patches"] = hidden[0]
            for index, state in enumerate(hidden[1:]):
                tensors[f"out.{which}.block.{index}"] = state
    if views is not None:
        tensors.update({"in.views": views, "in.short.timestep": step, "out.short.sample": run(step, text[:, :11])})
    goldenfile.write(name, tensors, source=source(f"diffusers.{kind.__name__}"), config=config)


def image_transformer(name, seed, views, **changes):
    shape = dict(num_layers=2, in_channels=9, image_dim=views.shape[2], **changes)
    latents = noise(seed + 1, 2, 9, 2, 4, 6)
    transformer(name, seed, latents, {"int": torch.tensor([923, 250])}, views, **shape)


def transformer_tiny():
    steps = {"int": torch.tensor([923, 250]), "float": torch.tensor([909.70703125, 24.4140625])}
    transformer("wan-transformer-tiny", 141, noise(142, 2, 6, 3, 4, 10), steps)


def transformer_5b_tiny():
    latents = noise(152, 1, 8, 3, 4, 6)
    tokens = torch.full((1, 18), 750.0)
    first = tokens.clone()
    first[:, :6] = 0.0
    shape = dict(num_attention_heads=2, num_layers=2, in_channels=8, out_channels=8)
    transformer("wan-transformer-5b-tiny", 151, latents, {"all": tokens, "first_frame_zero": first}, **shape)


def transformer_vace_tiny():
    inputs = dict(control_hidden_states=noise(193, 2, 7, 3, 4, 6), control_hidden_states_scale=torch.tensor([0.8, 1.3]))
    shape = dict(vace_layers=[0, 2], vace_in_channels=7)
    steps = {"int": torch.tensor([923, 250])}
    transformer("wan-transformer-vace-tiny", 191, noise(192, 2, 6, 3, 4, 6), steps, None, WanVACETransformer3DModel, inputs, **shape)


MINTS = {
    "umt5-tiny": umt5,
    "clip-vision-tiny": clip_vision,
    "wan-rope": rope,
    "wan-time-text": time_text,
    "wan-attention": lambda: attention("wan-attention", 36, 3, 2, (3, 2, 5)),
    "wan-attention-hd128": lambda: attention("wan-attention-hd128", 128, 1, 1, (2, 2, 3), torch.bfloat16),
    "wan-block": block,
    "wan-transformer-tiny": transformer_tiny,
    "wan-transformer-5b-tiny": transformer_5b_tiny,
    "wan-transformer-vace-tiny": transformer_vace_tiny,
    "wan-transformer-i2v-tiny": lambda: image_transformer(
        "wan-transformer-i2v-tiny", 161, noise(169, 2, 7, 10), added_kv_proj_dim=36
    ),
    "wan-transformer-flf-tiny": lambda: image_transformer(
        "wan-transformer-flf-tiny", 171, noise(179, 4, 7, 10), added_kv_proj_dim=36, pos_embed_seq_len=14
    ),
    "wan-transformer-joined-tiny": lambda: image_transformer("wan-transformer-joined-tiny", 181, noise(189, 2, 7, 10)),
}
