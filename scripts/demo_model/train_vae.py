"""Trains the VAE on crops of the demo world: train_vae.py --cache DIR --stage S --steps N. Goes on where it stopped.

Stage 1: single frames. 2: clips. 3: clips, with more channels, and only the decoder: latents stay as they are.
"""

import argparse
import random
import time

import torch

import checkpoint
import muon
import vae
import world


def crops(rng, generator, count, side, frames):
    """[count, 3, frames, side, side] in -1…1: one in eight is noise-like."""
    made = []
    for _ in range(count):
        if rng.random() < 1 / 8:
            made.append(world.texture(generator, side, side, frames))
            continue
        length = max(frames, rng.choice((9, 17)))
        first = rng.randrange(0, length - frames + 1)
        scene = world.sample(rng, two=0.4, allow_held_out=None)
        clip = world.render(scene, frames=length, only=slice(first, first + frames))
        places = [[rng.randrange(0, 96 - side + 1) for _ in range(2)] for _ in range(3)]
        parts = [clip[:, :, y : y + side, x : x + side] for x, y in places]
        made.append(max(parts, key=movement))
    return world.signal(torch.stack(made))


def movement(clip):
    """What is hard: almost all of the error is where something moves."""
    return (clip[1:].float() - clip[:-1].float()).abs().sum().item()


def psnr(model, clips):
    """dB over all of the clips [B, 3, T, H, W] in -1…1."""
    with torch.no_grad():
        error = [(vae.decode(model, vae.encode(model, c[None])[0]).clamp(-1, 1) - c).square().mean() for c in clips]
    return (-10 * torch.log10(torch.stack(error).mean() / 4)).item()


def held_out_clips(frames, count=12):
    rng = random.Random(99)
    clips = [world.render(world.sample(rng, two=0.3, allow_held_out=True), frames=frames) for _ in range(count)]
    return world.signal(torch.stack(clips))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", required=True)
    arguments.add_argument("--stage", type=int, choices=(1, 2, 3), required=True)
    arguments.add_argument("--steps", type=int, required=True)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rate", type=float, default=1e-2)
    a = arguments.parse_args()
    torch.set_num_threads(a.threads)
    vae.faster()

    model = vae.create(**({} if a.stage == 3 else vae.NARROW))
    store = checkpoint.Store(a.cache, f"vae.{a.stage}")
    step, spent, optimizer_state = store.load(model)
    if not step and a.stage > 1:
        last = vae.create(**vae.NARROW)
        checkpoint.Store(a.cache, f"vae.{a.stage - 1}").load(last)
        vae.widen(last, model)
    vae.innermost_channels(model)
    if a.stage == 3:
        model.encoder.requires_grad_(False)
        model.quant_conv.requires_grad_(False)
    optimizer = muon.Muon(model, edges=("encoder.conv_in", "decoder.conv_out"))
    if optimizer_state:
        optimizer.load_state_dict(optimizer_state)
    vae.check(model)
    rng, generator = random.Random(step), torch.Generator().manual_seed(step)
    told, losses = time.time(), []
    longest = 1 if a.stage == 1 else 17
    while step < a.steps:
        count, side, frames = (16, 64, 1) if a.stage == 1 else rng.choice(((6, 48, 9), (6, 64, 5), (6, 32, 17)))
        x = crops(rng, generator, count, side, frames).contiguous(memory_format=torch.channels_last_3d)
        mean, log_variance = vae.encode(model, x)
        log_variance = log_variance.clamp(-12, 4)
        noise = torch.randn(mean.shape, generator=generator)
        y = vae.decode(model, mean + noise * torch.exp(0.5 * log_variance))
        wrong = (y - x).abs()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        # The square weighs edges, which are few, beside the flat rest.
        loss = wrong.mean() + (10 if a.stage == 3 else 2) * wrong.square().mean() + 2e-5 * kl
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step(a.rate * min(1, (step + 1) / 50, 0.02 + 1.5 * (1 - step / a.steps)))
        step += 1
        losses.append(loss.item())
        if step % 100 == 0:
            now = time.time()
            spent += now - told
            told = now
            store.log(step, spent, loss=sum(losses) / len(losses), kl=kl.item())
            losses.clear()
        if step % 500 == 0 or step == a.steps:
            store.save(model, optimizer, step, spent)
            store.log(step, spent, psnr=psnr(model, held_out_clips(longest, 48 if step == a.steps else 12)))


if __name__ == "__main__":
    main()
