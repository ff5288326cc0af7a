"""Trains text encoder and transformer: train.py --cache DIR --stage S --steps N. Goes on where it stopped.

Stage 0: the text encoder alone, reading attributes out of captions. 1: small clips, as latents of the VAE in the same
folder. 2: clips of the right size. 3: the same, and the rate goes down to nothing.
"""

import argparse
import copy
import random
import time

import torch

import captions
import checkpoint
import latents
import model
import muon
import vae
import words
import world

TOKENS = 2560  # of a batch
# (width, height, frames): clips kept; the share of batches in each stage
BUCKETS = {
    (64, 64, 9): (20000, {1: 0.6}),
    (64, 64, 17): (6000, {1: 0.4, 2: 0.1, 3: 0.1}),
    (96, 96, 17): (10000, {2: 0.7, 3: 0.7}),
    (96, 96, 33): (1000, {2: 0.1, 3: 0.1}),
    (128, 96, 17): (1000, {2: 0.1, 3: 0.1}),
}


class Parts(torch.nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.text = model.text_encoder(vocabulary)
        self.transformer = model.transformer()
        self.attributes = model.Attributes()


class Captions:
    """Scenes to captions to token ids."""

    def __init__(self, tokenizer, attributes):
        self.tokenizer, self.attributes = tokenizer, attributes

    def __call__(self, rng, scenes, drop=0.0):
        """ids and mask [B, L], the lengths, the attributes' targets; a dropped caption is empty."""
        told = [captions.caption(rng, scene) for scene in scenes]
        targets = torch.tensor([self.attributes.targets(s, t) for s, (_, t) in zip(scenes, told)])
        kept = torch.tensor([rng.random() >= drop for _ in scenes])
        ids = [self.tokenizer.encode(text if keep else "").ids for (text, _), keep in zip(told, kept)]
        lengths = torch.tensor([len(i) for i in ids])
        width = int(lengths.max()) + 1
        padded = torch.tensor([i + [0] * (width - len(i)) for i in ids])
        return padded, (torch.arange(width) < lengths[:, None]).long(), lengths, targets, kept


def sigmas(count, generator):
    """Mostly in the middle, where a clip takes shape, and a tenth anywhere."""
    s = torch.sigmoid(torch.randn(count, generator=generator) * 1.1 + 0.4)
    anywhere = torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.1, anywhere, s).clamp(1e-3, 1)


class Clips:
    """Batches of latents of the sizes of a stage."""

    def __init__(self, cache, stage, two, coder, transformer):
        self.coder = coder
        kept = {size: (count, shares[stage]) for size, (count, shares) in BUCKETS.items() if stage in shares}
        self.buckets = [latents.Bucket(cache, size, count, two) for size, (count, _) in kept.items()]
        self.shares = [share for _, share in kept.values()]
        self.ropes = {size: model.rope_of(transformer, (1, *latents.shape_of(*size))) for size in kept}
        mean, std = latents.statistics(coder)
        self.mean, self.std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in (mean, std))

    def __call__(self, rng):
        """Size, normalised latents [B, Z, t, h, w], their scenes."""
        bucket = rng.choices(self.buckets, self.shares)[0]
        want = max(4, TOKENS // (torch.Size(latents.shape_of(*bucket.size)[1:]).numel() // 4))
        bucket.grow(self.coder, max(want // 8, 2 * want - len(bucket.scenes)))
        x, scenes = bucket.batch(rng, want)
        return bucket.size, (x - self.mean) / self.std, scenes


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--stage", type=int, choices=(0, 1, 2, 3), required=True)
    arguments.add_argument("--steps", type=int, required=True)
    arguments.add_argument("--two", type=float, default=0.25, help="share of clips with two shapes")
    arguments.add_argument("--rate", type=float, default=4e-3)
    arguments.add_argument("--threads", type=int, default=2)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)

    tokenizer = words.open_or_train(a.cache)
    parts = Parts(tokenizer.get_vocab_size())
    model.check(parts.transformer)
    optimizer = muon.Muon(parts, weight_decay=0.02, edges=("patch_embedding", "proj_out", "heads"))
    average = copy.deepcopy(parts).requires_grad_(False)
    store, average_store = (checkpoint.Store(a.cache, f"{name}.{a.stage}") for name in ("model", "average"))
    step, spent, optimizer_state = store.load(parts)
    average_store.load(average)
    if not step and a.stage:
        optimizer_state = checkpoint.Store(a.cache, f"model.{a.stage - 1}").load(parts)[2]
        checkpoint.Store(a.cache, f"average.{a.stage - 1}").load(average)
    if optimizer_state:
        optimizer.load_state_dict(optimizer_state)

    clips = None
    if a.stage:
        coder = vae.create(**vae.NARROW).requires_grad_(False)
        if not checkpoint.Store(a.cache, "vae.2").load(coder)[0]:
            raise SystemExit("train the VAE first")
        clips = Clips(a.cache, a.stage, a.two, coder, parts.transformer)
        model.faster()
    text_of = Captions(tokenizer, parts.attributes)
    rng, generator = random.Random(step), torch.Generator().manual_seed(step)
    told, sums = time.time(), {}
    while step < a.steps:
        if clips:
            size, x, scenes = clips(rng)
        else:
            scenes = [world.sample(rng, two=0.4) for _ in range(64)]
        ids, mask, lengths, targets, kept = text_of(rng, scenes, drop=0.1 if clips else 0)
        states = parts.text(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
        loss, right = parts.attributes.loss(states[kept], mask[kept], targets[kept])
        figures = {"words": loss.item(), "read": right.mean().item()}
        if clips:
            noise = torch.randn(x.shape, generator=generator)
            sigma = sigmas(len(x), generator)
            s = sigma.view(-1, 1, 1, 1, 1)
            bias = model.places_bias(lengths, ids.shape[1])
            v = model.velocity(parts.transformer, (1 - s) * x + s * noise, sigma, states, bias, clips.ropes[size])
            flow = (v - (noise - x)).square().mean()
            figures["flow {}x{}x{}".format(*size)] = flow.item()
            loss = flow + 0.1 * loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        left = (1 - step / a.steps) if a.stage in (0, 3) else 1
        optimizer.step(a.rate * min(1, (step + 1) / 100) * left)
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
            store.log(step, spent, **{n: total / times for n, (total, times) in sums.items()})
            sums.clear()
        if step % 100 == 0 or step == a.steps:
            store.save(parts, optimizer, step, spent)
            average_store.save(average, optimizer, step, spent)


if __name__ == "__main__":
    main()
