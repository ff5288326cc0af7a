"""Trains text encoder and transformer: train.py --cache DIR --stage S --steps N. Goes on where it stopped.

Stage 0: the text encoder alone, reading attributes out of captions. 1: small clips, as latents of the VAE in the same
folder. 2: clips of the right size. 3: the same, and the rate goes down to nothing. 4 and 5: once more, with more of
what is hard. 6: the same with a token for each latent, where it was one for 2×2. Big batches (--tokens) are for a GPU;
render.py makes clips enough beforehand.
"""

import argparse
import copy
import math
import random
import time
from pathlib import Path

import torch

import captions
import checkpoint
import latents
import model
import muon
import vae
import words
import world

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
HALF = DEVICE.type == "cuda" or "amx_bf16" in Path("/proc/cpuinfo").read_text()  # where bf16 is faster
FALLING = (0, 3, 4, 5, 6)  # stages in which the rate goes down
HARD, FINE = 4, 6  # stages from which on there is more of what is hard; a token for each latent
# (width, height, frames): clips kept; the share of batches in stage 1, in 2 and 3, from HARD on
BUCKETS = {
    (64, 64, 9): (20000, (0.6, 0, 0)),
    (64, 64, 17): (6000, (0.4, 0.1, 0.05)),
    (96, 96, 17): (20000, (0, 0.7, 0.85)),
    (96, 96, 33): (1500, (0, 0.1, 0.05)),
    (128, 96, 17): (1500, (0, 0.1, 0.05)),
}


def mixed():
    """Passes in bf16 where that is faster."""
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=HALF)


def patch_of(stage):
    return 1 if stage >= FINE else 2


class Parts(torch.nn.Module):
    def __init__(self, vocabulary, patch):
        super().__init__()
        self.text = model.text_encoder(vocabulary)
        self.transformer = model.transformer(patch)
        self.attributes = model.Attributes()

    def load_state_dict(self, weights):
        """Weights of larger patches do too."""
        alike = weights["transformer.proj_out.bias"].shape == self.transformer.proj_out.bias.shape
        super().load_state_dict(weights if alike else model.finer(weights))


class Captions:
    """Scenes to captions to token ids."""

    def __init__(self, tokenizer, attributes):
        self.tokenizer, self.attributes = tokenizer, attributes

    def __call__(self, rng, scenes, drop=0.0):
        """ids and mask [B, L], the lengths, the attributes' targets; a dropped caption is empty and has none."""
        told = [captions.caption(rng, scene) for scene in scenes]
        targets = torch.tensor([self.attributes.targets(s, t) for s, (_, t) in zip(scenes, told)])
        kept = torch.tensor([rng.random() >= drop for _ in scenes])
        targets[~kept] = model.NO_TARGET
        ids = [self.tokenizer.encode(text if keep else "").ids for (text, _), keep in zip(told, kept)]
        lengths = torch.tensor([len(i) for i in ids])
        width = int(lengths.max()) // 16 * 16 + 16  # at least one place is free
        padded = torch.tensor([i + [0] * (width - len(i)) for i in ids])
        return padded, (torch.arange(width) < lengths[:, None]).long(), lengths, targets


def sigmas(count, generator):
    """Mostly in the middle, where a clip takes shape, and a tenth anywhere."""
    given = {"generator": generator, "device": generator.device}
    s = torch.sigmoid(torch.randn(count, **given) * 1.1 + 0.4)
    anywhere = torch.rand(count, **given)
    return torch.where(torch.rand(count, **given) < 0.1, anywhere, s).clamp(1e-3, 1)


def coder_of(cache):
    """The VAE whose latents are learned."""
    coder = vae.create(**vae.NARROW).requires_grad_(False)
    if not checkpoint.Store(cache, "vae.2").load(coder)[0]:
        raise SystemExit("train the VAE first")
    return coder


def statistics_of(cache):
    """latents.statistics of the learned latents, made once."""
    return checkpoint.once(Path(cache) / "statistics.json", lambda: latents.statistics(coder_of(cache)))


def weights_of(cache):
    """Of the channels' errors: three quarters by how far each is seen, which leaves the same velocity as the best."""
    made = lambda: latents.visibility(coder_of(cache), statistics_of(cache)[1])
    seen = torch.tensor(checkpoint.once(Path(cache) / "visibility.json", made))
    return (0.25 + 0.75 * seen / seen.mean()) / len(seen)


def share_of(size, stage):
    return BUCKETS[size][1][(stage >= 2) + (stage >= HARD)]


def buckets_of(cache, stage, two):
    return [
        latents.Bucket(cache, size, count, two, stage >= HARD)
        for size, (count, _) in BUCKETS.items()
        if share_of(size, stage)
    ]


class Clips:
    """Batches of latents of the sizes of a stage."""

    def __init__(self, cache, stage, two, tokens):
        self.buckets = buckets_of(cache, stage, two)
        self.shares = [share_of(b.size, stage) for b in self.buckets]
        self.coder, self.latents = coder_of(cache), tokens * patch_of(stage) ** 2
        self.mean, self.std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in statistics_of(cache))

    def __call__(self, rng):
        """Size, normalised latents [B, Z, t, h, w], their scenes."""
        bucket = rng.choices(self.buckets, self.shares)[0]
        want = max(4, self.latents // math.prod(latents.shape_of(*bucket.size)[1:]))
        if torch.utils.data.get_worker_info() is None:  # one process writes
            with mixed():
                bucket.grow(self.coder, max(want // 4, 2 * want - len(bucket.scenes)))
        x, scenes = bucket.batch(rng, want)
        return bucket.size, (x - self.mean) / self.std, scenes


class Batches(torch.utils.data.IterableDataset):
    """Without end: size, latents or None, then what Captions gives."""

    def __init__(self, clips, text_of, step):
        self.clips, self.text_of, self.step = clips, text_of, step

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = random.Random(self.step if worker is None else f"{self.step} {worker.id}")
        while True:
            if self.clips:
                size, x, scenes = self.clips(rng)
            else:
                size, x, scenes = None, None, [world.sample(rng, two=0.4) for _ in range(64)]
            yield size, x, *self.text_of(rng, scenes, drop=0.1 if self.clips else 0)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--stage", type=int, choices=range(7), required=True)
    arguments.add_argument("--steps", type=int, required=True)
    arguments.add_argument("--seconds", type=float, default=float("inf"), help="ends then, the rate too")
    arguments.add_argument("--tokens", type=int, default=2560, help="of a batch")
    arguments.add_argument("--two", type=float, default=0.25, help="share of clips with two shapes")
    arguments.add_argument("--rate", type=float, default=4e-3)
    arguments.add_argument("--threads", type=int, default=2)
    a = arguments.parse_args()
    began = time.time()
    torch.set_num_threads(a.threads)
    torch.set_float32_matmul_precision("high")
    gpu = DEVICE.type == "cuda"

    tokenizer = words.open_or_train(a.cache)
    parts = Parts(tokenizer.get_vocab_size(), patch_of(a.stage))
    model.check(parts.transformer)
    ropes = {size: model.rope_of(parts.transformer, (1, *latents.shape_of(*size))) for size in BUCKETS}
    ropes = {size: [part.to(DEVICE) for part in rope] for size, rope in ropes.items()}
    parts.to(DEVICE)
    edges, dtype = ("patch_embedding", "proj_out", "heads"), torch.bfloat16 if HALF else torch.float32
    optimizer = muon.Muon(parts, weight_decay=0.02, edges=edges, dtype=dtype)
    average = copy.deepcopy(parts).requires_grad_(False)
    store, average_store = (checkpoint.Store(a.cache, f"{name}.{a.stage}") for name in ("model", "average"))
    step, spent, optimizer_state = store.load(parts)
    average_store.load(average)
    if not step and a.stage:
        optimizer_state = checkpoint.Store(a.cache, f"model.{a.stage - 1}").load(parts)[2]
        checkpoint.Store(a.cache, f"average.{a.stage - 1}").load(average)
    if optimizer_state and (step or patch_of(a.stage) == patch_of(a.stage - 1)):
        optimizer.load_state_dict(optimizer_state)

    clips = Clips(a.cache, a.stage, a.two, a.tokens) if a.stage else None
    weights = weights_of(a.cache).to(DEVICE) if clips else None
    model.faster(dynamic=True if gpu else None)
    batches = Batches(clips, Captions(tokenizer, parts.attributes), step)
    batches = iter(torch.utils.data.DataLoader(batches, None, num_workers=8 if gpu else 0, collate_fn=tuple))
    generator = torch.Generator(DEVICE).manual_seed(step)
    told, sums, saved = time.time(), {}, step

    def save():
        store.save(parts, optimizer, step, spent)
        average_store.save(average, optimizer, step, spent)
        return step

    while (left := 1 - max(step / a.steps, (time.time() - began) / a.seconds)) > 0:
        size, *batch = next(batches)
        x, ids, mask, lengths, targets = (t if t is None else t.to(DEVICE) for t in batch)
        states = parts.text(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
        loss, right = parts.attributes.loss(states, mask, targets)
        figures = {"words": loss.detach(), "read": right}
        if clips:
            noise = torch.randn(x.shape, generator=generator, device=DEVICE)
            sigma = sigmas(len(x), generator)
            s = sigma.view(-1, 1, 1, 1, 1)
            bias = model.places_bias(lengths, ids.shape[1])
            with mixed():
                v = model.velocity(parts.transformer, (1 - s) * x + s * noise, sigma, states, bias, ropes[size])
            flow = (v - (noise - x)).square().mean((0, 2, 3, 4))  # by channel
            figures["flow {}x{}x{}".format(*size)] = flow.detach().mean()
            loss = flow @ weights + 0.1 * loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step(a.rate * min(1, (step + 1) / 100) * (left if a.stage in FALLING else 1))
        step += 1
        with torch.no_grad():
            weight = 1 - min(0.999, (step + 1) / (step + 20))
            torch._foreach_lerp_(list(average.parameters()), list(parts.parameters()), weight)
        for name, value in figures.items():
            total, times = sums.get(name, (0.0, 0))
            sums[name] = (total + value, times + 1)
        if step % 100 == 0:
            now = time.time()
            spent, told = spent + now - told, now
            store.log(step, spent, **{n: (total / times).item() for n, (total, times) in sums.items()})
            sums.clear()
        if step % (500 if gpu else 100) == 0:
            saved = save()
    if step > saved:
        save()


if __name__ == "__main__":
    main()
