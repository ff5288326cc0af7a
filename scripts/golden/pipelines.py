"""Whole runs of diffusers.WanPipeline on the tiny models."""

import functools
import inspect

import numpy as np
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVideoToVideoPipeline,
)
from PIL import Image
from transformers import UMT5EncoderModel

import goldenfile
import models
import tokenizer
import weights
from goldenfile import MODELS

PROMPT = "A red fox  runs across a “frozen” lake &amp; the camera pans left, cinematic lighting. 一只红色的狐狸"
NEGATIVE = "blurry, low quality, overexposed, static, subtitles"
T2V = dict(
    prompt=PROMPT,
    negative_prompt=NEGATIVE,
    width=64,
    height=32,
    num_frames=9,
    num_inference_steps=6,
    guidance_scale=5.0,
    guidance_scale_2=None,
    seed=1234,
    flow_shift=None,
    max_sequence_length=512,
)
SHORT = {**T2V, "width": 48, "height": 32, "num_frames": 5, "num_inference_steps": 4, "max_sequence_length": 64}


def load(model, kind=WanPipeline, dtype=torch.float32):
    folder = MODELS / model
    pipe = kind.from_pretrained(folder, tokenizer=None)
    if dtype != torch.float32:
        pipe.transformer = WanTransformer3DModel.from_pretrained(folder / "transformer", torch_dtype=dtype)
        pipe.text_encoder = UMT5EncoderModel.from_pretrained(folder / "text_encoder", dtype=dtype)
    pipe.tokenizer = tokenizer.FromFile(folder / "tokenizer")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def record(pipe, request, **inputs):
    """The pipeline as it is, watched: its tokenizer, the embeddings it feeds, every latent, the frames."""
    seen = {}

    def watch(name, *keys):
        method = getattr(pipe, name)

        def watched(*arguments):
            made = method(*arguments)
            seen.update(zip(keys, [tensor.clone() for tensor in (made if isinstance(made, tuple) else (made,))]))
            return made

        setattr(pipe, name, watched)

    watch("prepare_latents", "latents.initial", "condition")
    if isinstance(pipe, WanVACEPipeline):
        watch("prepare_video_latents", "video_latents")
        watch("prepare_masks", "masks")
    if getattr(pipe, "image_encoder", None) is not None:
        encode_image = pipe.encode_image

        def seen_image(*arguments):
            seen["image_embeds"] = encode_image(*arguments)
            return seen["image_embeds"].clone()

        pipe.encode_image = seen_image

    def after_step(_, step, timestep, values):
        seen[f"latents.step.{step}"] = values["latents"].float()
        for name in ("prompt_embeds", "negative_prompt_embeds"):
            if values[name] is not None:
                seen[name] = values[name][0].float()
        return {}

    if request["flow_shift"] is not None:
        key = "shift" if "shift" in pipe.scheduler.config else "flow_shift"
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **{key: request["flow_shift"]})
    names = ("prompt", "negative_prompt", "width", "height", "num_frames", "num_inference_steps", "guidance_scale")
    names += ("guidance_scale_2", "max_sequence_length", "conditioning_scale", "strength")
    taken = inspect.signature(pipe.__call__).parameters
    frames = pipe(
        **inputs,
        **{name: request[name] for name in names if name in request and name in taken},
        generator=torch.Generator("cpu").manual_seed(request["seed"]),
        callback_on_step_end=after_step,
        callback_on_step_end_tensor_inputs=["latents", "prompt_embeds", "negative_prompt_embeds"],
    ).frames[0]
    tensors = dict(zip(("token_ids", "negative_token_ids"), (ids[0] for ids in pipe.tokenizer.seen)))
    for name in ("prompt_embeds", "negative_prompt_embeds"):
        if name in seen:
            tensors[name] = seen.pop(name)
    if "masks" in seen:
        seen["condition"] = torch.cat([seen.pop("video_latents"), seen.pop("masks")], dim=1)
    tensors.update(seen)
    last = sum(name.startswith("latents.step.") for name in seen) - 1
    tensors["latents.final"] = seen[f"latents.step.{last}"].clone()
    tensors["frames"] = torch.from_numpy(frames)
    return tensors


def check_frames(frames):
    inside = ((frames > 0) & (frames < 1)).float().mean().item()
    spread = frames.std().item()
    print(f"  frames {list(frames.shape)}: {inside:.1%} inside, standard deviation {spread:.3f}")
    if inside < 0.7 or spread < 0.05:
        raise AssertionError("the frames are clamped or flat")


def check_weights(pipe, tensors):
    latents = tensors["latents.step.1"]
    text = tensors["prompt_embeds"][None]
    ids = tensors["token_ids"][None]
    count = int((ids != 0).sum())
    for model in (pipe.transformer, pipe.transformer_2):
        if model is not None:
            weights.assert_each_matters(model, lambda: model(latents, torch.tensor([700]), text[:, : count + 4])[0])
    mask = (ids != 0).long()[:, : count + 4]
    run = lambda: pipe.text_encoder(ids[:, : count + 4], mask).last_hidden_state[:, :count]
    weights.assert_each_matters(pipe.text_encoder, run)
    small = latents[:, :, :2, :4, :4]
    weights.assert_each_matters(pipe.vae.decoder, lambda: pipe.vae.decode(small).sample)
    weights.assert_each_matters(pipe.vae.post_quant_conv, lambda: pipe.vae.decode(small).sample)


def picture(seed, width, height):
    """Blots of colour, so that a resize of it is neither flat nor noise."""
    blots = torch.randn(1, 3, 5, 4, generator=torch.Generator().manual_seed(seed))
    pixels = torch.nn.functional.interpolate(blots, (height, width), mode="bicubic") * 60 + 128
    return Image.fromarray(pixels[0].permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy())


def image_run(name, model, request, image, last_image=None, folder=False):
    if folder:
        models.FOLDERS[model]()
    pipe = load(model, WanImageToVideoPipeline)
    images = {"image": image} if last_image is None else {"image": image, "last_image": last_image}
    tensors = record(pipe, request, **images)
    check_frames(tensors["frames"])
    tensors.update({f"in.{key}": pixels(value) for key, value in images.items()})
    write(name, model, pipe, request, tensors, "diffusers.WanImageToVideoPipeline")


def pixels(value):
    return torch.from_numpy(np.stack([np.array(frame) for frame in value]) if isinstance(value, list) else np.array(value))


def video_run(name, model, kind, request, folder=False, references=(), **inputs):
    if folder:
        models.FOLDERS[model]()
    pipe = load(model, kind)
    tensors = record(pipe, request, **inputs, **({"reference_images": references} if references else {}))
    check_frames(tensors["frames"])
    tensors.update({f"in.{key}": pixels(value) for key, value in inputs.items()})
    tensors.update({f"in.reference_images.{index}": pixels(value) for index, value in enumerate(references)})
    write(name, model, pipe, request, tensors, f"diffusers.{kind.__name__}")


def dmd_run(name, model, request, image=None):
    """FastVideo's loop (pipelines/stages, DMD) around Diffusers' transformer: the clean sample, and new noise upon it."""
    pipe = load(model, WanPipeline if image is None else WanImageToVideoPipeline)
    pipe.scheduler = scheduler = FlowMatchEulerDiscreteScheduler(shift=request["flow_shift"])
    generator = torch.Generator("cpu").manual_seed(request["seed"])
    prompt_embeds, _ = pipe.encode_prompt(
        request["prompt"], do_classifier_free_guidance=False, max_sequence_length=request["max_sequence_length"]
    )
    tensors = {"token_ids": pipe.tokenizer.seen[0][0], "prompt_embeds": prompt_embeds[0]}
    shape = (1, pipe.vae.config.z_dim, request["height"], request["width"], request["num_frames"])
    first = () if image is None else (pipe.video_processor.preprocess(image, request["height"], request["width"]),)
    made = pipe.prepare_latents(*first, *shape, torch.float32, torch.device("cpu"), generator)
    latents, condition, changes = (*(made if first else (made,)), None, None)[:3]
    tensors["latents.initial"] = latents
    if first:
        tensors.update({"condition": condition, "in.image": pixels(image)})
    boundary = (pipe.config.boundary_ratio or 0) * scheduler.config.num_train_timesteps
    steps = request["dmd_denoising_steps"]
    levels = [scheduler.sigmas[(scheduler.timesteps - step).abs().argmin()].double() for step in steps]
    for index, step in enumerate(steps):
        transformer = pipe.transformer if step >= boundary else pipe.transformer_2
        seen, timestep = latents, torch.tensor([step])
        if changes is not None:  # 5B: the picture is the first frame, at timestep 0
            seen = (1 - changes) * condition + changes * latents
            timestep = (changes[0, 0, :, ::2, ::2] * step).reshape(1, -1)
        elif condition is not None:
            seen = torch.cat([latents, condition], dim=1)
        velocity = transformer(seen, timestep, prompt_embeds, return_dict=False)[0]
        latents = (latents.double() - levels[index] * velocity.double()).float()
        if index + 1 < len(steps):
            noise = torch.randn(latents.transpose(1, 2).shape, generator=generator).transpose(1, 2)
            latents = ((1 - levels[index + 1]) * latents + levels[index + 1] * noise).float()
        tensors[f"latents.step.{index}"] = latents
    tensors["latents.final"] = latents.clone()
    if changes is not None:
        latents = (1 - changes) * condition + changes * latents
    config = pipe.vae.config
    mean, deviation = (torch.tensor(value).view(1, -1, 1, 1, 1) for value in (config.latents_mean, config.latents_std))
    video = pipe.vae.decode(latents / (1.0 / deviation) + mean, return_dict=False)[0]
    tensors["frames"] = torch.from_numpy(pipe.video_processor.postprocess_video(video, output_type="np")[0])
    check_frames(tensors["frames"])
    write(name, model, pipe, request, tensors, "diffusers.WanTransformer3DModel in FastVideo's DMD loop")


def clip(seed, width, height, frames):
    """Blots of colour that drift."""
    tall = picture(seed, width, height + 3 * frames)
    return [tall.crop((0, 3 * index, width, 3 * index + height)) for index in range(frames)]


def run(name, model, request, change=None, checked=False, bf16=False):
    if checked:
        models.FOLDERS[model]()
    pipe = load(model)
    if change:
        change(pipe)
    tensors = record(pipe, request)
    check_frames(tensors["frames"])
    if checked:
        check_weights(pipe, tensors)
    if bf16:
        half = record(load(model, dtype=torch.bfloat16), request)["latents.final"]
        print(f"  bf16: {weights.relative(half, tensors['latents.final']):.1e} of the final latents")
        tensors["bf16.latents.final"] = half
    write(name, model, pipe, request, tensors, "diffusers.WanPipeline")


def write(name, model, pipe, request, tensors, source):
    scheduler = dict(pipe.scheduler.config)
    scheduler["_class_name"] = type(pipe.scheduler).__name__
    goldenfile.write(
        name,
        tensors,
        source=goldenfile.source(source),
        model=f"models/{model}",
        request={key: value for key, value in request.items() if value is not None},
        scheduler=scheduler,
        timesteps=[float(step) for step in pipe.scheduler.timesteps],
    )


def euler(pipe):
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)


def few_euler(pipe):
    """The published levels of LightX2V's models, through the sigmas that Diffusers' pipelines do not pass on."""
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    steps = pipe.scheduler.set_timesteps
    sigmas = [step / 1000 for step in FEW_EULER["denoising_step_list"]]
    pipe.scheduler.set_timesteps = lambda count, device: steps(sigmas=sigmas, device=device)


def order3(pipe):
    pipe.scheduler = UniPCMultistepScheduler.from_config(pipe.scheduler.config, solver_order=3)


A14B = {**T2V, "width": 48, "height": 80, "num_frames": 5, "num_inference_steps": 5, "guidance_scale": 4.0}
A14B.update(guidance_scale_2=3.0, seed=77, max_sequence_length=77)
TI2V = {**T2V, "width": 96, "height": 32, "num_frames": 5, "num_inference_steps": 4, "seed": 4_294_967_299}
TI2V.update(max_sequence_length=96, negative_prompt="")
EULER = {**SHORT, "num_frames": 7, "flow_shift": 5.0, "seed": 5}
NO_GUIDANCE = {**SHORT, "guidance_scale": 1.0, "flow_shift": 12.0, "seed": 6}
ONE_FRAME = {**SHORT, "width": 112, "height": 48, "num_frames": 1, "negative_prompt": "", "seed": 8}

I2V = {**SHORT, "num_frames": 9, "max_sequence_length": 512, "seed": 11}

DMD = {**SHORT, "num_inference_steps": 3, "guidance_scale": 1.0, "flow_shift": 8.0, "seed": 24}
DMD["dmd_denoising_steps"] = [1000, 757, 522]
TURBO = {**A14B, "height": 32, "num_frames": 9, "num_inference_steps": 4, "guidance_scale": 1.0, "flow_shift": 8.0}
TURBO.update(guidance_scale_2=None, seed=26, dmd_denoising_steps=[996, 932, 852, 608])
FEW_EULER = {**A14B, "num_inference_steps": 4, "guidance_scale": 1.0, "guidance_scale_2": None, "seed": 28}
FEW_EULER["denoising_step_list"] = [1000, 750, 500, 250]
VIDEO = {**SHORT, "num_frames": 9, "num_inference_steps": 5, "strength": 0.7, "seed": 23}
VACE = {**SHORT, "num_frames": 9, "seed": 21, "conditioning_scale": [0.7, 1.3]}

MINTS = {
    # The mask's colours lie about its threshold; the video's aspect is the request's, as Diffusers needs it.
    "vace-tiny": lambda: video_run(
        "vace-tiny",
        "vace-tiny",
        WanVACEPipeline,
        VACE,
        folder=True,
        references=[picture(31, 71, 40), picture(32, 33, 90)],
        video=clip(33, 72, 48, 9),
        mask=clip(34, 60, 44, 9),
    ),
    "vace-tiny.reference": lambda: video_run(
        "vace-tiny.reference",
        "vace-tiny",
        WanVACEPipeline,
        {**VACE, "num_frames": 5, "guidance_scale": 1.0, "conditioning_scale": 0.9, "seed": 22},
        references=[picture(35, 20, 20)],
    ),
    # Frames beyond the last latent's: of the video none counts, of the mask all do.
    "vace-tiny.eight": lambda: video_run(
        "vace-tiny.eight",
        "vace-tiny",
        WanVACEPipeline,
        {**VACE, "num_frames": 5, "num_inference_steps": 2, "guidance_scale": 1.0, "seed": 29},
        video=clip(36, 48, 32, 8),
        mask=clip(37, 48, 32, 8),
    ),
    "i2v-tiny": lambda: image_run("i2v-tiny", "i2v-tiny", I2V, picture(1, 71, 40), folder=True),
    "i2v-tiny.short": lambda: image_run(
        "i2v-tiny.short", "i2v-tiny", {**I2V, "max_sequence_length": 40, "width": 32}, picture(2, 33, 90)
    ),
    "flf2v-tiny": lambda: image_run(
        "flf2v-tiny", "flf2v-tiny", I2V, picture(3, 64, 41), picture(4, 30, 50), folder=True
    ),
    "i2v-a14b-tiny": lambda: image_run(
        "i2v-a14b-tiny", "i2v-a14b-tiny", {**A14B, "num_frames": 9, "height": 32}, picture(5, 48, 32), folder=True
    ),
    "i2v-a14b-tiny.last": lambda: image_run(
        "i2v-a14b-tiny.last", "i2v-a14b-tiny", {**A14B, "height": 32}, picture(6, 90, 31), picture(7, 31, 90)
    ),
    "ti2v-5b-tiny.image": lambda: image_run("ti2v-5b-tiny.image", "ti2v-5b-tiny", {**TI2V, "num_frames": 9}, picture(8, 77, 50)),
    "t2v-tiny": functools.partial(run, "t2v-tiny", "t2v-tiny", T2V, checked=True, bf16=True),
    "a14b-tiny": functools.partial(run, "a14b-tiny", "a14b-tiny", A14B, checked=True),
    "ti2v-5b-tiny": functools.partial(run, "ti2v-5b-tiny", "ti2v-5b-tiny", TI2V, checked=True),
    "t2v-tiny.euler": functools.partial(run, "t2v-tiny.euler", "t2v-tiny", EULER, euler),
    "t2v-tiny.order3": functools.partial(run, "t2v-tiny.order3", "t2v-tiny", {**SHORT, "num_inference_steps": 6}, order3),
    "t2v-tiny.video": lambda: video_run(
        "t2v-tiny.video", "t2v-tiny", WanVideoToVideoPipeline, VIDEO, video=clip(36, 61, 44, 9)
    ),
    "t2v-tiny.dmd": lambda: dmd_run("t2v-tiny.dmd", "t2v-tiny", {**DMD, "num_frames": 9}),
    "ti2v-5b-tiny.dmd": lambda: dmd_run("ti2v-5b-tiny.dmd", "ti2v-5b-tiny", {**DMD, "width": 96, "seed": 25}),
    "i2v-a14b-tiny.dmd": lambda: dmd_run("i2v-a14b-tiny.dmd", "i2v-a14b-tiny", TURBO, picture(9, 50, 70)),
    "ti2v-5b-tiny.image.dmd": lambda: dmd_run(
        "ti2v-5b-tiny.image.dmd", "ti2v-5b-tiny", {**DMD, "width": 96, "seed": 27}, picture(10, 70, 31)
    ),
    "a14b-tiny.few-euler": functools.partial(run, "a14b-tiny.few-euler", "a14b-tiny", FEW_EULER, few_euler),
    "t2v-tiny.noguidance": functools.partial(run, "t2v-tiny.noguidance", "t2v-tiny", NO_GUIDANCE),
    "t2v-tiny.oneframe": functools.partial(run, "t2v-tiny.oneframe", "t2v-tiny", ONE_FRAME),
}
