"""Whole schedules of the two schedulers, with a simple function in the place of the transformer."""

import functools

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

import goldenfile
from layers import noise

MODEL = "0.5 * x + 0.1 * sigma + 0.3 * sin(3 * x + 2 * sigma), sigma = sigmas[step], in fp32"


def model(x, sigma):
    return 0.5 * x + 0.1 * sigma + 0.3 * torch.sin(3 * x + 2 * sigma)


def run(name, kind, steps, sigmas=None, dtype=torch.float32, **changes):
    scheduler = kind(**changes)
    if sigmas:
        scheduler.set_timesteps(sigmas=numpy.array(sigmas))
    else:
        scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0)
    x = start = noise(301, 1, 2, 2, 2, 3)
    samples, outputs = [], []
    for index, step in enumerate(scheduler.timesteps):
        output = model(x.float(), scheduler.sigmas[index]).to(dtype)
        x = scheduler.step(output, step, x, return_dict=False)[0]
        outputs.append(output)
        samples.append(x)
    config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
    config["_class_name"] = kind.__name__
    goldenfile.write(
        name,
        {
            "in.sample": start,
            "out.sigmas": scheduler.sigmas,
            "out.timesteps": scheduler.timesteps,
            "out.model_outputs": torch.stack(outputs),
            "out.samples": torch.stack(samples),
        },
        source=goldenfile.source(f"diffusers.{kind.__name__}"),
        config=config,
        num_inference_steps=steps,
        sigmas=sigmas,
        model=MODEL,
    )


FLOW = dict(prediction_type="flow_prediction", use_flow_sigmas=True)
UNIPC = {f"unipc-n{n}-shift{s}": (n, dict(flow_shift=float(s))) for n in (2, 4, 10, 50) for s in (1, 3, 5, 12)}
UNIPC.update(
    {
        "unipc-order1": (10, dict(flow_shift=3.0, solver_order=1)),
        "unipc-order3": (10, dict(flow_shift=3.0, solver_order=3)),
        "unipc-order3-n50": (50, dict(flow_shift=5.0, solver_order=3)),
        "unipc-sigma-min": (10, dict(flow_shift=3.0, final_sigmas_type="sigma_min")),
        "unipc-bh1": (10, dict(flow_shift=3.0, solver_type="bh1", final_sigmas_type="sigma_min")),
        "unipc-bh1-order3": (10, dict(flow_shift=3.0, solver_type="bh1", solver_order=3, final_sigmas_type="sigma_min")),
        "unipc-no-corrector": (10, dict(flow_shift=3.0, disable_corrector=list(range(10)))),
        "unipc-some-corrector": (10, dict(flow_shift=3.0, disable_corrector=[0, 1, 4])),
        "unipc-shift-terminal": (10, dict(flow_shift=3.0, shift_terminal=0.02)),
        "unipc-no-lower-order": (10, dict(flow_shift=3.0, lower_order_final=False, final_sigmas_type="sigma_min")),
        "unipc-sigmas": (4, dict(flow_shift=5.0, sigmas=[1.0, 0.75, 0.5, 0.25])),
    }
)
EULER = {f"euler-n{n}-shift{s}": (n, dict(shift=float(s))) for n in (1, 4, 8, 50) for s in (1, 5, 7)}
UNIPC["unipc-bf16"] = (10, dict(flow_shift=3.0, dtype=torch.bfloat16))
EULER["euler-bf16"] = (8, dict(shift=5.0, dtype=torch.bfloat16))
EULER["euler-sigmas"] = (4, dict(shift=5.0, sigmas=[1.0, 0.75, 0.5, 0.25]))

MINTS = {}
for case, (count, settings) in UNIPC.items():
    MINTS[case] = functools.partial(run, case, UniPCMultistepScheduler, count, **{**FLOW, **settings})
for case, (count, settings) in EULER.items():
    MINTS[case] = functools.partial(run, case, FlowMatchEulerDiscreteScheduler, count, **settings)
