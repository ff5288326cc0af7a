"""Trains text encoder and transformer on latents of the demo world: train.py --cache DIR [--minutes M].

Goes on where it stopped. Needs the trained VAE in the same folder. Small clips first, then those of the right size.
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
import vae
import words
import world

TEXT_STEPS = 2500  # of the text encoder alone, reading attributes out of captions
TOKENS = 2048  # of a batch
# (width, height, frames): clips kept; the share of batches in the first and in the second stage
BUCKETS = {
    (64, 64, 9): (24000, 0.6, 0.0),
    (64, 64, 17): (12000, 0.4, 0.1),
    (96, 96, 17): (24000, 0.0, 0.7),
    (96, 96, 33): (3000, 0.0, 0.1),
    (128, 96, 17): (3000, 0.0, 0.1),
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


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--stage", type=int, default=1, choices=(1, 2))
    arguments.add_argument("--two", type=float, default=0.25, help="share of clips with two shapes")
    arguments.add_argument("--rate", type=float, default=1e-3)
    arguments.add_argument("--decay", action="store_true", help="bring the rate down to nothing: the last run")
    arguments.add_argument("--threads", type=int, default=2)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)

    coder = vae.create().requires_grad_(False)
    if not checkpoint.Store(a.cache, "vae").load(coder)[0]:
        raise SystemExit("train the VAE first")
    mean, std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in latents.statistics(coder))
    tokenizer = words.open_or_train(a.cache)
    parts = Parts(tokenizer.get_vocab_size())
    model.check(parts.transformer)
    average = copy.deepcopy(parts).requires_grad_(False)
    store, average_store = checkpoint.Store(a.cache, "model"), checkpoint.Store(a.cache, "average")
    step, spent, optimizer_state = store.load(parts)
    average_store.load(average)

    matrices = [p for p in parts.parameters() if p.dim() >= 2]
    rest = [p for p in parts.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}],
        lr=a.rate,
        betas=(0.9, 0.98),
        foreach=True,
    )
    if optimizer_state:
        optimizer.load_state_dict(optimizer_state)
    text_of = Captions(tokenizer, parts.attributes)
    buckets = {size: latents.Bucket(a.cache, size, kept, a.two) for size, (kept, *_) in BUCKETS.items()}
    shares = [BUCKETS[size][a.stage] for size in buckets]
    ropes = {s: model.rope_of(parts.transformer, (1, *latents.shape_of(*s))) for s in buckets}
    rng, generator = random.Random(step), torch.Generator().manual_seed(step)
    start = told = time.time()
    sums, count = {}, 0
    while (passed := (time.time() - start) / (a.minutes * 60)) < 1:
        scale = min(1, (step + 1) / 200) * ((1 - passed) if a.decay else 1)
        for group in optimizer.param_groups:
            group["lr"] = a.rate * scale
        if step < TEXT_STEPS:
            scenes = [world.sample(rng, two=0.4) for _ in range(48)]
        else:
            size = rng.choices(list(buckets), shares)[0]
            bucket = buckets[size]
            tokens = torch.Size(latents.shape_of(*size)[1:]).numel() // 4
            want = max(4, TOKENS // tokens)
            bucket.grow(coder, max(want // 2, 64 - len(bucket.scenes)))
            x, scenes = bucket.batch(rng, want)
        ids, mask, lengths, targets, kept = text_of(rng, scenes, drop=0.0 if step < TEXT_STEPS else 0.1)
        states = parts.text(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
        told_loss, right = parts.attributes.loss(states[kept], mask[kept], targets[kept])
        figures = {"words": told_loss.item(), "read": right.mean().item()}
        loss = told_loss
        if step >= TEXT_STEPS:
            x = (x - mean) / std
            noise = torch.randn(x.shape, generator=generator)
            sigma = sigmas(len(x), generator)
            s = sigma.view(-1, 1, 1, 1, 1)
            v = model.velocity(
                parts.transformer, (1 - s) * x + s * noise, sigma, states,
                model.places_bias(lengths, ids.shape[1]), ropes[size],
            )
            flow = (v - (noise - x)).square().mean()
            figures[f"flow {size[0]}x{size[1]}x{size[2]}"] = flow.item()
            loss = flow + 0.1 * told_loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            weight = 1 - min(0.9995, (step + 1) / (step + 20))
            torch._foreach_lerp_(list(average.parameters()), list(parts.parameters()), weight)
        count += 1
        for name, value in figures.items():
            total, times = sums.get(name, (0.0, 0))
            sums[name] = (total + value, times + 1)
        if step % 200 == 0:
            now = time.time()
            spent, told = spent + now - told, now
            clips = sum(len(b.scenes) for b in buckets.values())
            store.log(step, spent, clips=clips, **{n: total / times for n, (total, times) in sums.items()})
            sums.clear()
        if step % 1000 == 0:
            store.save(parts, optimizer, step, spent)
            average_store.save(average, optimizer, step, spent)
    store.save(parts, optimizer, step, spent)
    average_store.save(average, optimizer, step, spent)


if __name__ == "__main__":
    main()
