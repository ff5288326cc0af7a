"""The pictures and videos that a task begins with, the same files for both programs."""

import json
from pathlib import Path

import numpy
from PIL import Image

# task → its inputs
TASKS = {
    "t2v": (),
    "i2v": ("image",),
    "flf2v": ("image", "last_image"),
    "v2v": ("video",),
    "vace": ("video", "mask", "reference_images"),
}


def task_of(folder):
    """What a folder is for, unless it is said: Wan2.2's I2V takes one picture, though it could take two."""
    name = json.loads((folder / "model_index.json").read_text())["_class_name"]
    if name == "WanVACEPipeline":
        return "vace"
    if name != "WanImageToVideoPipeline":
        return "t2v"
    transformer = json.loads((folder / "transformer" / "config.json").read_text())
    return "flf2v" if transformer.get("pos_embed_seq_len") else "i2v"


def picture(seed, width, height):
    """Blots of colour."""
    blots = numpy.random.Generator(numpy.random.PCG64(seed)).integers(0, 256, (5, 4, 3), dtype=numpy.uint8)
    return Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC)


def write(folder, task, width, height, frames):
    """Input → its file, or folder of frames. Pictures are of another shape than the video, videos are not."""
    found = {}
    for seed, name in enumerate(TASKS[task]):
        if name in ("video", "mask"):
            (folder / name).mkdir()
            tall = picture(seed, width, height + 2 * frames)
            for index in range(frames):
                tall.crop((0, 2 * index, width, 2 * index + height)).save(folder / name / f"{index:05}.png")
            found[name] = str(folder / name)
        else:
            picture(seed, width * 5 // 4 + 3, height * 9 // 8 + 1).save(folder / f"{name}.png")
            found[name] = str(folder / f"{name}.png")
    return found


def read(path):
    """As Diffusers takes it: a picture, or a list of frames."""
    path = Path(path)
    if path.is_dir():
        return [Image.open(frame).convert("RGB") for frame in sorted(path.iterdir())]
    return Image.open(path).convert("RGB")
