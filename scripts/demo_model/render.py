"""Makes clips of a stage beforehand: render.py --cache DIR --stage S [--processes N].

Processes render, this one encodes, on a GPU where there is one. Ends when the stage has all its clips, or when it is
told to; train.py then finds them in the cache folder.
"""

import argparse
import itertools
import random

import torch
import torch.multiprocessing

import train

CHUNK = 32


def render(queue, buckets, seed):
    """Of all sizes as many as there is room for, so that they fill together."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    for number in itertools.count():
        chosen = rng.choices(buckets, [b.capacity for b in buckets])[0]
        bucket = buckets[number] if number < len(buckets) else chosen  # none stays empty
        queue.put((bucket.size, *bucket.rendered(CHUNK, f"{bucket.size} {seed} {number}")))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--stage", type=int, required=True)
    arguments.add_argument("--two", type=float, default=0.25, help="share of clips with two shapes")
    arguments.add_argument("--processes", type=int, default=torch.multiprocessing.cpu_count())
    a = arguments.parse_args()
    buckets = {b.size: b for b in train.buckets_of(a.cache, a.stage, a.two)}
    made, queue = sum(len(b.scenes) for b in buckets.values()), torch.multiprocessing.Queue(2 * a.processes)
    for index in range(a.processes):
        given = (queue, list(buckets.values()), f"{made} {index}")
        torch.multiprocessing.Process(target=render, args=given, daemon=True).start()
    coder = train.coder_of(a.cache).to(train.DEVICE)
    while any(len(b.scenes) < b.capacity for b in buckets.values()):
        size, scenes, clips = queue.get()
        buckets[size].add(scenes, clips.to(train.DEVICE), coder)


if __name__ == "__main__":
    main()
