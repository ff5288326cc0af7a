"""Pillow's resampling and what Diffusers' processors make of pictures, as checksums: tests/goldens/resampling.json, preprocessing.json.

A picture of a case is `noise(width, height, seed)`; the C++ test makes the same one.
"""

import random
import zlib

import numpy as np
import PIL
import torch
from diffusers import WanVACEPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.video_processor import VideoProcessor
from PIL.Image import Resampling, fromarray
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from goldenfile import write_cases


def noise(width, height, seed):
    i = np.arange(width * height * 3, dtype=np.uint32)
    v = i * np.uint32(2654435761) + np.uint32(seed)
    v = (v ^ v >> np.uint32(15)) * np.uint32(0x2C1B3C6D)
    v ^= v >> np.uint32(12)
    return fromarray((v & np.uint32(255)).astype(np.uint8).reshape(height, width, 3))


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


FILTERS = {"bilinear": Resampling.BILINEAR, "bicubic": Resampling.BICUBIC, "lanczos": Resampling.LANCZOS}


def resampling():
    pick = random.Random(5)
    cases = []

    def add(size, to, name, box=None):
        seed = len(cases)
        result = noise(*size, seed).resize(to, FILTERS[name], box=box)
        cases.append({"from": size, "to": to, "filter": name, "box": box, "seed": seed, "crc": crc(result)})

    for name in FILTERS:
        for _ in range(40):
            add([pick.randint(1, 150) for _ in "wh"], [pick.randint(1, 150) for _ in "wh"], name)
        for _ in range(10):
            size = [pick.randint(2, 90) for _ in "wh"]
            left, right = sorted(pick.uniform(0, size[0]) for _ in "lr")
            top, bottom = sorted(pick.uniform(0, size[1]) for _ in "tb")
            add(size, [pick.randint(1, 90) for _ in "wh"], name, [left, top, right, bottom])
        add([30, 20], [30, 20], name)
        add([30, 20], [30, 7], name)
        add([30, 20], [7, 20], name)
        add([1, 1], [9, 5], name)
        add([700, 3], [2, 3], name)
        add([30, 20], [30, 6], name, [0, 20, 30, 20])
        add([30, 20], [6, 20], name, [0, 0, 0, 20])
    write_cases("resampling.json", {"pillow": PIL.__version__}, cases)


def vace_conditions(size, most, video, mask, references):
    """What WanVACEPipeline.preprocess_conditions gives, with none of its networks."""

    class Pipeline:
        vae_scale_factor_spatial = 8
        video_processor = VideoProcessor(vae_scale_factor=8)
        transformer = type("transformer", (), {"config": type("config", (), {"patch_size": (1, 2, 2)})})

    return WanVACEPipeline.preprocess_conditions(
        Pipeline, video, mask, references, 1, most[1], most[0], len(video), torch.float32, torch.device("cpu")
    )


def preprocessing():
    pick = random.Random(6)
    cases = []
    for fit in ("default", "fill", "crop"):
        for _ in range(12):
            size, to, seed = [pick.randint(2, 120) for _ in "wh"], [8 * pick.randint(1, 12) for _ in "wh"], pick.randint(0, 999)
            values = VaeImageProcessor().preprocess(noise(*size, seed), to[1], to[0], resize_mode=fit)[0]
            cases.append({"kind": "vae", "fit": fit, "from": size, "to": to, "seed": seed, "crc": crc(values.numpy())})
    for _ in range(12):
        size, edge, seed = [pick.randint(2, 200) for _ in "wh"], pick.randint(8, 40), pick.randint(0, 999)
        crop = [pick.randint(1, edge) for _ in "wh"]
        processor = CLIPImageProcessorPil(size={"shortest_edge": edge}, crop_size={"height": crop[1], "width": crop[0]})
        values = processor(images=noise(*size, seed), return_tensors="np")["pixel_values"][0]
        assert values.dtype == np.float32
        cases.append({"kind": "clip", "from": size, "edge": edge, "crop": crop, "seed": seed, "crc": crc(values)})
    for size in ([832, 480], [1, 1], [777, 1333], [4000, 50], [480, 832]):
        for area in (480 * 832, 720 * 1280):
            aspect = size[1] / size[0]
            height = round(np.sqrt(area * aspect)) // 16 * 16
            width = round(np.sqrt(area / aspect)) // 16 * 16
            cases.append({"kind": "size", "from": size, "area": area, "size": [width, height]})
    for size, most in (([70, 50], [96, 64]), ([200, 133], [96, 64]), ([131, 301], [64, 96]), ([64, 96], [96, 64]), ([97, 65], [96, 64])):
        seed, own = pick.randint(0, 999), [pick.randint(9, 150) for _ in "wh"]
        frames = [noise(*size, seed + i) for i in range(3)]
        masks = [noise(*own, seed + 10 + i) for i in range(3)]
        video, mask, references = vace_conditions(size, most, frames, masks, noise(*own, seed + 20))
        made = list(video.shape[:2:-1])
        cases.append({
            "kind": "vace", "from": size, "most": most, "seed": seed, "own": own, "size": made,
            "video": crc(video[0].numpy()), "mask": crc(mask[0].numpy()),
            "reference": [round(v, 7) for v in references[0][0].flatten()[:: 97].tolist()],
        })  # fmt: skip
    write_cases("preprocessing.json", {"pillow": PIL.__version__}, cases)


MINTS = {"resampling": resampling, "preprocessing": preprocessing}
