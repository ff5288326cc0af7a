"""Clips of the demo world as latents, made once and kept in the cache folder with the scenes that they show."""

import dataclasses
import json
import random
from pathlib import Path

import numpy
import torch

import vae
import world


def shape_of(width, height, frames):
    return (vae.Z, (frames - 1) // 4 + 1, height // 8, width // 8)


class Bucket:
    """Clips of one size: latents float16 [capacity, Z, t, h, w], not yet normalised."""

    def __init__(self, folder, size, capacity, two):
        self.size, self.capacity, self.two = size, capacity, two
        name = "{}x{}x{}".format(*size)
        self.scenes_path = Path(folder) / f"{name}.jsonl"
        shape, path = (capacity, *shape_of(*size)), Path(folder) / f"{name}.f16"
        mode = "r+" if path.exists() and path.stat().st_size == 2 * numpy.prod(shape) else "w+"
        if mode == "w+":
            self.scenes_path.unlink(missing_ok=True)
        self.data = numpy.memmap(path, numpy.float16, mode, shape=shape)
        self.scenes = []
        if self.scenes_path.exists():
            self.scenes = [read_scene(line) for line in self.scenes_path.read_text().splitlines()][:capacity]

    def grow(self, model, count):
        """Renders and encodes up to `count` more clips."""
        count = min(count, self.capacity - len(self.scenes))
        if count <= 0:
            return
        width, height, frames = self.size
        rng = random.Random(f"{self.size} {len(self.scenes)}")
        scenes = [world.sample(rng, two=self.two, width=width, height=height) for _ in range(count)]
        x = world.signal(torch.stack([world.render(s, width, height, frames) for s in scenes]))
        with torch.no_grad():
            mean, _ = vae.encode(model, x.contiguous(memory_format=torch.channels_last_3d))
        at = len(self.scenes)
        self.data[at : at + count] = mean.contiguous().numpy()
        with self.scenes_path.open("a") as file:
            file.writelines(write_scene(s) + "\n" for s in scenes)
        self.scenes += scenes

    def batch(self, rng, count):
        """[count, Z, t, h, w] float32, and the scenes."""
        rows = sorted(rng.randrange(len(self.scenes)) for _ in range(count))
        return torch.from_numpy(self.data[rows].astype(numpy.float32)), [self.scenes[r] for r in rows]


def write_scene(scene):
    return json.dumps(dataclasses.asdict(scene))


def read_scene(line):
    made = world.Scene(**json.loads(line))
    made.shapes = [world.Shape(**s) for s in made.shapes]
    return made


def statistics(model, clips=96):
    """Mean and standard deviation of each latent channel over clips of the world: two lists of Z numbers."""
    rng = random.Random(5)
    found = []
    for _ in range(clips):
        x = world.signal(world.render(world.sample(rng, two=0.4, allow_held_out=None)))[None]
        with torch.no_grad():
            found.append(vae.encode(model, x)[0])
    values = torch.cat(found).transpose(0, 1).flatten(1)
    return values.mean(1).tolist(), values.std(1).tolist()
