"""The tiny models: whole folders in the Diffusers layout, with sizes that no published model has."""

import json
import shutil

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

import tokenizer
import weights
from goldenfile import MODELS

# Larger queries and keys than fan-in asks for, so that attention is far from uniform.
TEXT_GAINS = {"SelfAttention.q": 0.8, "SelfAttention.k": 0.8, "relative_attention_bias": 1.5}
TRANSFORMER_GAINS = {
    "time_embedder": 1.5,
    "to_q.bias": 2.0,
    "to_k.bias": 3.0,
    "attn1.to_v.weight": 1.5,
    "attn1.to_out.0.weight": 1.5,
    "attn2.to_v.weight": 1.5,
    "attn2.to_out.0.weight": 1.5,
}
CLIP_GAINS = {"q_proj": 1.5, "k_proj": 1.5, "q_proj.bias": 4.0}
VAE_GAINS = {"to_qkv": 2.0, "time_conv": 1.4, "decoder.conv_out.bias": 0.5}


def text_encoder(seed, vocabulary, **config):
    torch.manual_seed(seed)
    settings = dict(
        vocab_size=vocabulary + 8,
        d_kv=8,
        num_heads=3,
        num_layers=3,
        dropout_rate=0.1,
        layer_norm_epsilon=1e-5,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )
    model = UMT5EncoderModel(UMT5Config(**{**settings, **config}))
    return weights.randomise(model, seed, TEXT_GAINS)


def transformer(seed, kind=WanTransformer3DModel, **config):
    settings = dict(
        num_attention_heads=3,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        freq_dim=20,
        ffn_dim=28,
        num_layers=3,
        eps=1e-5,
        rope_max_seq_len=40,
    )
    model = kind(**{**settings, **config})
    return weights.randomise(model, seed, TRANSFORMER_GAINS)


def vae(seed, z_dim, spread=0.4, **config):
    """`spread`: how wide the frames spread; a few of their values should be clamped."""
    generator = torch.Generator().manual_seed(seed)
    mean = (0.6 * torch.randn(z_dim, generator=generator)).tolist()
    std = (0.5 + torch.rand(z_dim, generator=generator) * 1.5).tolist()
    model = AutoencoderKLWan(
        z_dim=z_dim,
        latents_mean=[round(value, 4) for value in mean],
        latents_std=[round(value, 4) for value in std],
        **config,
    )
    return weights.randomise(model, seed, {**VAE_GAINS, "decoder.conv_out.weight": spread})


def unipc(shift):
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)


def save(name, proto, text, vae, scheduler, transformer, transformer_2=None, kind=WanPipeline, **settings):
    folder = MODELS / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer.save(proto, folder / "tokenizer")
    tokens = T5Tokenizer.from_pretrained(folder / "tokenizer")
    parts = dict(transformer=transformer, transformer_2=transformer_2, **settings)
    pipe = kind(tokenizer=tokens, text_encoder=text, vae=vae, scheduler=scheduler, **parts)
    pipe.save_pretrained(folder)
    # save_pretrained wrote the tokenizer as transformers 5 rebuilds it; the published files look otherwise.
    shutil.rmtree(folder / "tokenizer")
    tokenizer.save(proto, folder / "tokenizer")
    index = folder / "model_index.json"
    entries = json.loads(index.read_text())
    entries["tokenizer"] = ["transformers", "T5TokenizerFast"]
    if "image_processor" in settings:
        entries["image_processor"] = ["transformers", "CLIPImageProcessor"]
    index.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def t2v_tiny():
    proto = tokenizer.train()
    save(
        "t2v-tiny",
        proto,
        text_encoder(11, len(proto.pieces), d_model=20, d_ff=28),
        vae(12, 16, base_dim=3, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[True, False, True]),
        unipc(3.0),
        transformer(13, text_dim=20, attention_head_dim=8),
    )


def a14b_tiny():
    proto = tokenizer.without_charsmap(tokenizer.train())
    buckets = dict(relative_attention_num_buckets=20, relative_attention_max_distance=50)
    save(
        "a14b-tiny",
        proto,
        text_encoder(21, len(proto.pieces), d_model=16, d_ff=36, **buckets),
        vae(22, 16, spread=1.0, base_dim=3, dim_mult=[1, 2, 3, 2], num_res_blocks=1, temperal_downsample=[True, True, False]),
        unipc(3.0),
        transformer(23, text_dim=16, ffn_dim=20),
        transformer(24, text_dim=16, ffn_dim=20),
        boundary_ratio=0.875,
    )


def ti2v_5b_tiny():
    proto = tokenizer.without_charsmap(tokenizer.train())
    latents = dict(in_channels=48, out_channels=48)
    shape = dict(
        base_dim=2,
        decoder_base_dim=3,
        dim_mult=[1, 2, 4, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )
    save(
        "ti2v-5b-tiny",
        proto,
        text_encoder(31, len(proto.pieces), d_model=18, d_ff=22, num_heads=5),
        vae(35, 48, spread=0.8, **shape),
        unipc(5.0),
        transformer(33, text_dim=18, num_attention_heads=1, attention_head_dim=24, **latents),
        expand_timesteps=True,
    )


def image_encoder(seed):
    config = CLIPVisionConfig(
        hidden_size=18,
        intermediate_size=24,
        projection_dim=8,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=30,
        patch_size=7,
        hidden_act="gelu",
    )
    processor = CLIPImageProcessor(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30})
    return dict(
        image_encoder=weights.randomise(CLIPVisionModelWithProjection(config), seed, CLIP_GAINS), image_processor=processor
    )


def image_tiny(name, seed, images=True, **changes):
    """Wan2.1's image to video, with an image encoder, or A14B's with two experts and without."""
    proto = tokenizer.without_charsmap(tokenizer.train())
    vae_shape = dict(base_dim=3, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[True, False, True])
    shape = dict(text_dim=16, attention_head_dim=8, in_channels=36, num_layers=2)
    if images:
        shape.update(image_dim=18, added_kv_proj_dim=24, **changes)
    experts = [transformer(seed + index, **shape) for index in range(1 if images else 2)]
    settings = image_encoder(seed + 5) if images else dict(boundary_ratio=0.9)
    text = text_encoder(seed + 6, len(proto.pieces), d_model=16, d_ff=20)
    parts = (text, vae(seed + 7, 16, **vae_shape), unipc(3.0), *experts)
    save(name, proto, *parts, kind=WanImageToVideoPipeline, **settings)


def vace_tiny():
    proto = tokenizer.without_charsmap(tokenizer.train())
    shape = dict(text_dim=16, attention_head_dim=8, vace_layers=[0, 2], vace_in_channels=96)
    save(
        "vace-tiny",
        proto,
        text_encoder(76, len(proto.pieces), d_model=16, d_ff=20),
        vae(77, 16, base_dim=3, dim_mult=[1, 2, 2, 2], num_res_blocks=1, temperal_downsample=[True, False, True]),
        unipc(3.0),
        transformer(70, WanVACETransformer3DModel, **shape),
        kind=WanVACEPipeline,
    )


FOLDERS = {
    "vace-tiny": vace_tiny,
    "i2v-tiny": lambda: image_tiny("i2v-tiny", 40),
    "flf2v-tiny": lambda: image_tiny("flf2v-tiny", 50, pos_embed_seq_len=34),
    "i2v-a14b-tiny": lambda: image_tiny("i2v-a14b-tiny", 60, images=False),
    "t2v-tiny": t2v_tiny,
    "a14b-tiny": a14b_tiny,
    "ti2v-5b-tiny": ti2v_5b_tiny,
}
