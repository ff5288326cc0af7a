"""Clips of the demo world as latents, made once and kept in the cache folder with the scenes that they show."""

import dataclasses
import json
import math
import os
import random
from pathlib import Path

import numpy
import torch

import vae
import world

# What takes longest to learn, and how much more often it is drawn where only that is left
HARD = {"star": 4, "cross": 4, "circling": 3, "bouncing": 2, "spinning": 2, "pulsing": 2}
MOST = HARD["star"] * HARD["circling"] * HARD["spinning"]


def shape_of(width, height, frames):
    return (vae.Z, (frames - 1) // 4 + 1, height // 8, width // 8)


class Bucket:
    """Clips of one size: latents float16 [capacity, Z, t, h, w], not yet normalised. `hard`: more of what is."""

    def __init__(self, folder, size, capacity, two, hard):
        self.size, self.capacity, self.two, self.hard = size, capacity, two, hard
        name = "{}x{}x{}".format(*size) + (".hard" if hard else "")
        self.scenes_path = Path(folder) / f"{name}.jsonl"
        shape, path = (capacity, *shape_of(*size)), Path(folder) / f"{name}.f16"
        path.touch()  # begins as zeros, and grows with what is asked for
        os.truncate(path, 2 * int(numpy.prod(shape)))
        self.data = numpy.memmap(path, numpy.float16, "r+", shape=shape)
        self.scenes = []
        if self.scenes_path.exists():
            self.scenes = [read_scene(line) for line in self.scenes_path.read_text().splitlines()][:capacity]

    def grow(self, model, count):
        """Renders and encodes up to `count` more clips."""
        count = min(count, self.capacity - len(self.scenes))
        if count > 0:
            self.add(*self.rendered(count, f"{self.size} {len(self.scenes)}"), model)

    def rendered(self, count, seed):
        """Scenes, and their clips uint8 [count, T, 3, H, W]."""
        (width, height, frames), rng, scenes = self.size, random.Random(seed), []
        while len(scenes) < count:
            scene = world.sample(rng, two=self.two, width=width, height=height)
            if not self.hard or rng.random() < hardness(scene):
                scenes.append(scene)
        return scenes, torch.stack([world.render(s, width, height, frames) for s in scenes])

    def add(self, scenes, clips, model):
        """Encodes them and keeps what there is room for."""
        at = len(self.scenes)
        if at == self.capacity:
            return
        scenes, clips = scenes[: self.capacity - at], clips[: self.capacity - at]
        with torch.no_grad():
            mean, _ = vae.encode(model, world.signal(clips).contiguous(memory_format=torch.channels_last_3d))
        self.data[at : at + len(scenes)] = mean.half().cpu().numpy()
        with self.scenes_path.open("a") as file:
            file.write("".join(write_scene(s) + "\n" for s in scenes))
        self.scenes += scenes

    def batch(self, rng, count):
        """[count, Z, t, h, w] float32, and the scenes."""
        rows = sorted(rng.randrange(len(self.scenes)) for _ in range(count))
        return torch.from_numpy(self.data[rows].astype(numpy.float32)), [self.scenes[r] for r in rows]


def hardness(scene):
    """0…1"""
    return max(math.prod(HARD.get(k, 1) for k in (s.shape, s.motion, s.effect)) for s in scene.shapes) / MOST


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


@torch.no_grad()
def visibility(model, std, clips=8):
    """How much a little noise in each normalised latent channel changes frames: Z mean squares."""
    rng, generator, found = random.Random(6), torch.Generator().manual_seed(6), torch.zeros(vae.Z)
    for _ in range(clips):
        clip, _ = vae.encode(model, world.signal(world.render(world.sample(rng, two=0.4)))[None])
        for channel, deviation in enumerate(std):
            noise = torch.zeros_like(clip)
            noise[:, channel] = 0.15 * deviation * torch.randn(noise[:, channel].shape, generator=generator)
            either = vae.decode(model, torch.cat((clip + noise, clip - noise)))
            found[channel] += (either[0] - either[1]).square().mean()
    return found.tolist()
