"""What Wan-Video's own checkpoints call the transformer's tensors, held to Diffusers' conversion."""

import re

from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

import goldenfile
import keys

BLOCK = {
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "o",
    "add_k_proj": "k_img",
    "add_v_proj": "v_img",
    "norm_added_k": "norm_k_img",
    "norm2": "norm3",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
    "scale_shift_table": "modulation",
    "proj_in": "before_proj",
    "proj_out": "after_proj",
}
IMAGE = "condition_embedder.image_embedder."
AROUND = {
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    IMAGE + "norm1": "img_emb.proj.0",
    IMAGE + "ff.net.0.proj": "img_emb.proj.1",
    IMAGE + "ff.net.2": "img_emb.proj.3",
    IMAGE + "norm2": "img_emb.proj.4",
    IMAGE + "pos_embed": "img_emb.emb_pos",
    "proj_out": "head.head",
    "scale_shift_table": "head.modulation",
}


def native(name):
    table = BLOCK if re.match(r"(vace_)?blocks\.", name) else AROUND
    for theirs, ours in table.items():
        name = re.sub(rf"(^|\.){re.escape(theirs)}(?=\.|$)", rf"\g<1>{ours}", name)
    return name


def mint():
    names = {}
    for _, (kind, config), _ in keys.MODELS.values():
        if "ffn_dim" in config:  # a transformer
            tensors = keys.build(kind, config).state_dict()
            names.update({name: native(name) for name in tensors if not re.match(r"(vace_)?blocks\.[1-9]", name)})
    known = {ours: theirs for theirs, ours in names.items() if "emb_pos" not in ours}  # which the conversion forgets
    for prefix in ("", "model.diffusion_model."):
        converted = convert_wan_transformer_to_diffusers({prefix + ours: theirs for ours, theirs in known.items()})
        wrong = {name: theirs for name, theirs in converted.items() if name != theirs}
        if wrong or len(converted) != len(known):
            raise AssertionError(f"{wrong}")
    goldenfile.write_json("native-names.json", {
        "source": goldenfile.source("diffusers.loaders.single_file_utils.convert_wan_transformer_to_diffusers"),
        "versions": goldenfile.versions(),
        "names": names,
    })


MINTS = {"native-names": mint}
