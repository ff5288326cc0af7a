"""One video by Diffusers, in a process of its own: takes a JSON of `settings` (bench.py), writes what serve writes."""

import gc
import json
import sys
import time
from pathlib import Path

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline, WanVACEPipeline, WanVideoToVideoPipeline
from diffusers.utils import export_to_video
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from tokenizer import FromFile

import inputs

PIPELINES = {
    "t2v": WanPipeline,
    "i2v": WanImageToVideoPipeline,
    "flf2v": WanImageToVideoPipeline,
    "v2v": WanVideoToVideoPipeline,
    "vace": WanVACEPipeline,
}
# What each of them calls, beside prepare_latents, to come from pictures to latents.
ENCODING = {
    "i2v": ["video_processor.preprocess"],
    "flf2v": ["video_processor.preprocess"],
    "v2v": ["video_processor.preprocess_video"],
    "vace": ["preprocess_conditions", "prepare_video_latents", "prepare_masks"],
}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class Clock:
    """Seconds of each stage. A GPU is waited for at every mark."""

    def __init__(self, device):
        self.device = device
        self.stages = {}

    def now(self):
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, stage, call):
        def run(*arguments, **named):
            began = self.now()
            result = call(*arguments, **named)
            self.stages[stage] = self.stages.get(stage, 0) + self.now() - began
            return result

        return run


def load(settings):
    dtypes = {part: DTYPES[settings[f"{part}_precision"]] for part in ("transformer", "vae", "text_encoder")}
    dtypes["transformer_2"] = dtypes["transformer"]
    folder = Path(settings["model"])
    dtypes["image_encoder"] = torch.float32
    pipe = PIPELINES[settings["task"]].from_pretrained(folder, dtype=dtypes, tokenizer=None).to(settings["device"])
    pipe.tokenizer = FromFile(folder / "tokenizer")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def watch(pipe, clock, seen, task):
    """Marks the stages of the pipeline as it is, and keeps what it computes."""
    pipe.encode_prompt = clock.timed("text_encode", pipe.encode_prompt)
    prepare = pipe.prepare_latents
    if task != "t2v":
        prepare = clock.timed("vae_encode", prepare)
        for name in ENCODING[task]:
            owner = pipe.video_processor if name.startswith("video_processor") else pipe
            method = name.split(".")[-1]
            setattr(owner, method, clock.timed("vae_encode", getattr(owner, method)))
        if getattr(pipe, "image_encoder", None) is not None:
            pipe.encode_image = clock.timed("image_encode", pipe.encode_image)

    def prepare_latents(*arguments, **named):
        made = prepare(*arguments, **named)
        latents, *condition = made if isinstance(made, tuple) else (made,)
        seen["latents.initial"] = latents.float().cpu().clone()
        if condition:
            seen["condition"] = condition[0].float().cpu().clone()
        clock.denoise_began = clock.now()
        return made

    def after_step(_, step, timestep, values):
        clock.stages["denoise"] = clock.now() - clock.denoise_began
        for name in ("prompt_embeds", "negative_prompt_embeds"):
            if values[name] is not None and name not in seen:
                seen[name] = values[name][0].float().cpu().clone()
        seen[f"latents.step.{step}"] = values["latents"].float().cpu().clone()
        clock.decode_began = clock.now()
        return {}

    pipe.prepare_latents = prepare_latents
    return after_step


def inputs_of(settings, width=None, height=None, frames=None):
    """`width`…: of a warm-up, for which videos are brought to its size."""
    found = {}
    for name, path in settings["inputs"].items():
        value = inputs.read(path)
        if isinstance(value, list) and frames:
            value = [frame.resize((width, height)) for frame in (value * frames)[:frames]]
        found[name] = [value] if name == "reference_images" else value
    if settings["task"] == "v2v":
        found["strength"] = settings["strength"]
    return found


def generate(pipe, settings, out):
    clock = Clock(settings["device"])
    seen = {}
    after_step = watch(pipe, clock, seen, settings["task"])
    began = clock.now()
    frames = pipe(
        **inputs_of(settings),
        **({} if settings["task"] == "v2v" else {"num_frames": settings["num_frames"]}),
        prompt=settings["prompt"],
        negative_prompt=settings["negative_prompt"],
        width=settings["width"],
        height=settings["height"],
        num_inference_steps=settings["steps"],
        guidance_scale=settings["guidance"],
        generator=torch.Generator("cpu").manual_seed(settings["seed"]),
        callback_on_step_end=after_step,
        callback_on_step_end_tensor_inputs=["latents", "prompt_embeds", "negative_prompt_embeds"],
    ).frames[0]
    decoded = clock.now()
    clock.stages["vae_decode"] = decoded - clock.decode_began
    export_to_video(list(frames), str(out / "video.mp4"), fps=16)
    done = clock.now()
    clock.stages["encode_mp4"] = done - decoded
    ids = [row[0] for row in pipe.tokenizer.seen]
    seen.update(zip(("token_ids", "negative_token_ids"), ids))
    last = sum(name.startswith("latents.step.") for name in seen) - 1
    seen["latents.final"] = seen[f"latents.step.{last}"].clone()
    seen["frames"] = torch.from_numpy(frames)
    save_file({name: value.contiguous() for name, value in seen.items()}, out / "tensors.safetensors")
    return {"stages_s": clock.stages, "total_s": done - began}


def main():
    settings = json.loads(Path(sys.argv[1]).read_text())
    out = Path(sys.argv[2])
    torch.set_num_threads(settings["threads"])
    began = time.perf_counter()
    with torch.inference_mode():
        pipe = load(settings)
        warm_up = dict(settings["warm_up"])
        size = (warm_up["width"], warm_up["height"], warm_up["num_frames"])
        if settings["task"] == "v2v":
            del warm_up["num_frames"]
        given = {**inputs_of(settings, *size), **({"strength": 1.0} if settings["task"] == "v2v" else {})}
        pipe(prompt="warm-up", negative_prompt="", guidance_scale=settings["guidance"], **given, **warm_up)
        pipe.tokenizer.seen.clear()
        gc.collect()
        loaded = time.perf_counter() - began
        perf = generate(pipe, settings, out)
    (out / "perf.json").write_text(json.dumps({**perf, "load_s": loaded}))


if __name__ == "__main__":
    main()
