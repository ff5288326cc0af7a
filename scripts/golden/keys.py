"""What the published checkpoints must hold: every tensor's name and shape, from the real classes without weights."""

import functools
import re

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, UMT5Config, UMT5EncoderModel

import goldenfile

TRANSFORMER = dict(
    patch_size=[1, 2, 2],
    num_attention_heads=40,
    attention_head_dim=128,
    in_channels=16,
    out_channels=16,
    text_dim=4096,
    freq_dim=256,
    ffn_dim=13824,
    num_layers=40,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    eps=1e-6,
    image_dim=None,
    added_kv_proj_dim=None,
    rope_max_seq_len=1024,
    pos_embed_seq_len=None,
)
UMT5 = dict(
    vocab_size=256384,
    d_model=4096,
    d_kv=64,
    d_ff=10240,
    num_layers=24,
    num_heads=64,
    relative_attention_num_buckets=32,
    relative_attention_max_distance=128,
    dropout_rate=0.1,
    layer_norm_epsilon=1e-6,
    feed_forward_proj="gated-gelu",
    is_gated_act=True,
    dense_act_fn="gelu_new",
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
    tie_word_embeddings=False,
)
VAE_21 = dict(
    base_dim=96,
    z_dim=16,
    dim_mult=[1, 2, 4, 4],
    num_res_blocks=2,
    attn_scales=[],
    temperal_downsample=[False, True, True],
    dropout=0.0,
    latents_mean=[-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508]
    + [0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921],
    latents_std=[2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743]
    + [3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160],
)
VAE_22 = dict(
    VAE_21,
    base_dim=160,
    decoder_base_dim=256,
    z_dim=48,
    is_residual=True,
    in_channels=12,
    out_channels=12,
    patch_size=2,
    scale_factor_temporal=4,
    scale_factor_spatial=16,
    clip_output=False,
    latents_mean=[-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891]
    + [0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502]
    + [-0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723]
    + [-0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667],
    latents_std=[0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901]
    + [0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659]
    + [0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944]
    + [0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744],
)


# laion/CLIP-ViT-H-14-laion2B-s32B-b79K
CLIP = dict(
    hidden_size=1280,
    intermediate_size=5120,
    num_hidden_layers=32,
    num_attention_heads=16,
    num_channels=3,
    image_size=224,
    patch_size=14,
    hidden_act="gelu",
    layer_norm_eps=1e-5,
    projection_dim=1024,
    attention_dropout=0.0,
    dropout=0.0,
    initializer_factor=1.0,
    initializer_range=0.02,
)


def transformer(**changes):
    return WanTransformer3DModel, {**TRANSFORMER, **changes}


def vace(last, every, **changes):
    control = dict(vace_layers=list(range(0, last + 1, every)), vace_in_channels=96)
    return WanVACETransformer3DModel, {**TRANSFORMER, **control, **changes}


IMAGE = dict(in_channels=36, image_dim=1280, added_kv_proj_dim=5120)
SMALL = dict(num_attention_heads=12, ffn_dim=8960, num_layers=30)
FIVE = dict(num_attention_heads=24, ffn_dim=14336, num_layers=30, in_channels=48, out_channels=48)
BOTH = ["transformer", "transformer_2"]

# name → folders, class and config, parameters in all
MODELS = {
    "wan2.1-t2v-1.3b": (["transformer"], transformer(**SMALL), 1_418_996_800),
    "wan2.1-t2v-14b": (["transformer"], transformer(), 14_288_491_584),
    "wan2.1-i2v-14b": (["transformer"], transformer(**IMAGE), 16_394_878_784),
    "wan2.1-flf2v-14b": (["transformer"], transformer(**IMAGE, pos_embed_seq_len=514), 16_395_536_704),
    "wan2.1-fun-1.3b-inp": (["transformer"], transformer(**SMALL, **{**IMAGE, "added_kv_proj_dim": 1536}), 1_564_428_608),
    "wan2.1-vace-1.3b": (["transformer"], vace(28, 2, **SMALL), 2_153_972_032),
    "wan2.1-vace-14b": (["transformer"], vace(35, 5), 17_337_592_896),
    "wan2.2-t2v-a14b": (BOTH, transformer(), 14_288_491_584),
    "wan2.2-i2v-a14b": (BOTH, transformer(in_channels=36), 14_288_901_184),
    "wan2.2-ti2v-5b": (["transformer"], transformer(**FIVE), 4_999_787_712),
    "umt5-xxl": (["text_encoder"], (UMT5EncoderModel, UMT5), 5_680_910_336),
    "clip-vit-h-14": (["image_encoder"], (CLIPVisionModelWithProjection, CLIP), 632_076_800),
    "wan2.1-vae": (["vae"], (AutoencoderKLWan, VAE_21), 126_892_531),
    "wan2.2-vae": (["vae"], (AutoencoderKLWan, VAE_22), 704_688_668),
}


def build(kind, config):
    with torch.device("meta"):
        if kind is UMT5EncoderModel:
            return kind(UMT5Config(is_encoder_decoder=False, use_cache=False, **config))
        if kind is CLIPVisionModelWithProjection:
            return kind(CLIPVisionConfig(**config))
        return kind(**{key: value for key, value in config.items() if key != "clip_output"})


def folded(shapes):
    """`blocks.0.x` … `blocks.39.x` of one shape become `blocks.{0..39}.x`."""
    groups = {}
    for key, shape in shapes.items():
        parts = re.match(r"(blocks|vace_blocks|encoder\.block|vision_model\.encoder\.layers)\.(\d+)\.(.*)", key)
        pattern = f"{parts[1]}.{{}}.{parts[3]}" if parts else key
        groups.setdefault((pattern, shape), []).append(int(parts[2]) if parts else None)
    result = {}
    for (pattern, shape), indices in groups.items():
        if indices != [None] and indices != list(range(len(indices))):
            raise AssertionError(f"{pattern} is not in every block")
        result[pattern.format(f"{{0..{len(indices) - 1}}}") if indices != [None] else pattern] = list(shape)
    return result


def mint(name):
    folders, (kind, config), parameters = MODELS[name]
    model = build(kind, config)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    shapes.pop("encoder.embed_tokens.weight", None)
    total = sum(torch.Size(shape).numel() for shape in shapes.values())
    if total != parameters:
        raise AssertionError(f"{name} has {total} parameters, not {parameters}")
    value = {
        "source": goldenfile.source(f"{kind.__module__.split('.')[0]}.{kind.__name__}"),
        "versions": goldenfile.versions(),
        "folders": folders,
        "config": {"_class_name": kind.__name__, **config},
        "count": len(shapes),
        "parameters": total,
        "tensors": folded(shapes),
    }
    goldenfile.write_json(f"keys/{name}.json", value)


MINTS = {f"keys/{name}": functools.partial(mint, name) for name in MODELS}
