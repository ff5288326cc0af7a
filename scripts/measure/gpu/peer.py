"""Diffusers' and transformers' side of a bench: asked and answering as tests/bench/bench.h says.

    peer.py transformer|vae|umt5 CONFIG.json bf16|fp32 cpu|cuda SIZES…

Knows one thing more: {"compile": true} has the transformer's blocks compiled from then on.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from random_weights import fill, random
from safetensors.torch import save_file
from transformers import UMT5Config, UMT5EncoderModel


def wait_for(device):
    if device == "cuda":
        torch.cuda.synchronize()


def repeat(count, device, once):
    """As tests/bench/bench.cpp's: seconds of each, output of the last."""
    seconds, out = [], None
    for _ in range(count):
        wait_for(device)
        began = time.perf_counter()
        with torch.profiler.record_function("measured"):
            out = once()
        wait_for(device)
        seconds.append(time.perf_counter() - began)
    return seconds, out


class Transformer:
    def __init__(self, config, compute, device, sizes):
        with init_empty_weights(include_buffers=False):
            model = WanTransformer3DModel.from_config(config)
        self.weights = fill(model, compute, model._keep_in_fp32_modules, device)
        model.to(device).eval()
        self.device, self.compute, self.text_dim = device, compute, config["text_dim"]
        self.shape = (1, config["in_channels"], *sizes)
        of_5b = config["in_channels"] == 48
        scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
        self.pipe = WanPipeline(None, None, None, scheduler, transformer=model, expand_timesteps=of_5b)
        self.pipe.vae_scale_factor_spatial = 16 if of_5b else 8
        self.pipe.set_progress_bar_config(disable=True)

    def compile(self):
        self.pipe.transformer.compile_repeated_blocks(fullgraph=True)

    def mark(self):
        if self.device == "cpu":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, marks):
        wait_for(self.device)
        if self.device == "cpu":
            return [later - earlier for earlier, later in zip(marks, marks[1:])]
        return [earlier.elapsed_time(later) / 1e3 for earlier, later in zip(marks, marks[1:])]

    def run(self, count, guided):
        prompts = [random(name, (1, 512, self.text_dim), self.device).to(self.compute)
                   for name in ("prompt", "negative")[: 1 + guided]]
        latents = random("latents", self.shape, self.device)
        scale = self.pipe.vae_scale_factor_spatial
        frames, rows, columns = self.shape[2:]
        marks = []

        def after_step(*_):
            marks.append(self.mark())
            return {}

        wait_for(self.device)
        marks.append(self.mark())
        with torch.profiler.record_function("measured"):
            out = self.pipe(
                prompt_embeds=prompts[0],
                negative_prompt_embeds=prompts[1] if guided else None,
                height=rows * scale,
                width=columns * scale,
                num_frames=4 * frames - 3,
                num_inference_steps=count,
                guidance_scale=5.0 if guided else 1.0,
                latents=latents,
                output_type="latent",
                callback_on_step_end=after_step,
            ).frames
        return self.seconds(marks), out


class Vae:
    def __init__(self, config, compute, device, sizes):
        with init_empty_weights(include_buffers=False):
            self.model = AutoencoderKLWan.from_config(config)
        self.weights = fill(self.model, compute, (), device, lambda name: name.startswith(("decoder.", "post_quant")))
        self.z = random("latents", (1, config["z_dim"], *sizes), device).to(compute)
        self.device = device

    def run(self, count, _):
        seconds, out = repeat(count, self.device, lambda: self.model.decode(self.z, return_dict=False)[0])
        return seconds, out.float()


class Umt5:
    def __init__(self, config, compute, device, sizes):
        with init_empty_weights(include_buffers=False):
            self.model = UMT5EncoderModel(UMT5Config(**config)).eval()
        self.weights = fill(self.model, compute, (), device, lambda name: "embed_tokens" not in name)
        self.model.encoder.embed_tokens = self.model.shared
        tokens = sizes[0]
        self.ids = torch.tensor([[2 + i % 97 for i in range(tokens)] + [0] * (512 - tokens)], device=device)
        self.mask = (torch.arange(512, device=device) < tokens).long().unsqueeze(0)
        self.device, self.tokens = device, tokens

    def once(self):
        hidden = self.model(self.ids, self.mask).last_hidden_state
        return torch.nn.functional.pad(hidden[:, : self.tokens], (0, 0, 0, 512 - self.tokens))  # as WanPipeline

    def run(self, count, _):
        return repeat(count, self.device, self.once)


def traced(path, call):
    if not path:
        return call()
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profile:
        result = call()
    profile.export_chrome_trace(path)
    return result


def answer(bench, device, asked):
    if asked.get("compile"):
        bench.compile()
        return {}
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds, out = traced(asked.get("trace"), lambda: bench.run(asked.get("count", 1), asked.get("guided", True)))
    if asked.get("save"):
        save_file({"out": out.contiguous()}, asked["save"])
    found = {"seconds": seconds}
    if device == "cuda":
        found["allocated_mib"] = torch.cuda.max_memory_allocated() / 2**20
        found["reserved_mib"] = torch.cuda.max_memory_reserved() / 2**20
    return found


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries have to say
    kind, config, dtype, device, *sizes = sys.argv[1:]
    began = time.perf_counter()
    make = {"transformer": Transformer, "vae": Vae, "umt5": Umt5}[kind]
    compute = torch.float32 if dtype == "fp32" else torch.bfloat16
    with torch.inference_mode():
        bench = make(json.loads(Path(config).read_text()), compute, device, [int(size) for size in sizes])
        wait_for(device)
        ready = {"weights": bench.weights, "load_s": time.perf_counter() - began, "threads": torch.get_num_threads()}
        print(json.dumps(ready), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(bench, device, json.loads(line))), file=answers, flush=True)


main()
