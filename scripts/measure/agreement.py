"""Do both programs compute the same? Relative L2 of what they dumped, on the scale of Diffusers' values."""

from safetensors import safe_open

# Equally right fp32 runs (threads, kernels) differ by 2e-5 in latents and 8e-5 in frames; bf16 runs by percents, so
# they are judged as well: Reel may be JUDGED times as far from Diffusers' fp32 as Diffusers' own bf16 is.
JUDGED = 1.25
BOUNDS = {"fp32": {"latents.final": 1e-3, "frames": 1e-3}, "bf16": {"latents.final": 2e-1, "frames": 1e-1}}
ALWAYS = {"token_ids": 0.0, "negative_token_ids": 0.0, "latents.initial": 1e-5}
ENCODED = 1e-3  # what the VAE's encoder made, in fp32
MAY_LACK = ("negative_token_ids", "condition")  # without guidance; of what Diffusers keeps in parts


def relative(ours, theirs):
    ours, theirs = ours.double().flatten(), theirs.double().flatten()
    if ours.shape != theirs.shape:
        return float("inf")
    distance = ((ours - theirs).norm() / theirs.norm()).item()
    return distance if distance == distance else float("inf")


def compare(ours, theirs):
    """Name → relative L2 of all that Diffusers' file holds; a missing tensor is infinitely far."""
    with safe_open(ours, "pt") as left, safe_open(theirs, "pt") as right:
        here = set(left.keys())
        return {
            name: relative(left.get_tensor(name), right.get_tensor(name)) if name in here else float("inf")
            for name in sorted(right.keys())
        }


def spread(path, name="frames"):
    """Standard deviation and the part of the values inside 0…1: flat or clamped frames prove nothing."""
    with safe_open(path, "pt") as file:
        values = file.get_tensor(name).float()
    inside = ((values > 0) & (values < 1)).float().mean().item()
    return {"standard_deviation": values.std().item(), "inside": inside}


def limits(precision, bound=None, task="t2v"):
    """Name → greatest relative L2; `bound` replaces those that depend on the precision."""
    bounds = BOUNDS["fp32" if precision == "fp32" else "bf16"]
    found = {**ALWAYS, **(dict.fromkeys(bounds, bound) if bound else bounds)}
    if task != "t2v":
        found["condition"] = found["latents.initial"] = ENCODED
    return found


def judged(ours, theirs, judge):
    ours, theirs = compare(ours, judge), compare(theirs, judge)
    return {name: {"reel": ours[name], "diffusers": theirs[name]} for name in ("latents.final", "frames")}


def problems(distances, frames, limits, judged):
    found = [
        f"{name}: {pair['reel']:.1e} from fp32, Diffusers {pair['diffusers']:.1e}"
        for name, pair in judged.items()
        if not pair["reel"] <= JUDGED * pair["diffusers"]
    ]
    for name, limit in limits.items():
        if name not in distances and name not in MAY_LACK:
            found.append(f"{name}: not dumped")
        elif distances.get(name, 0.0) > limit:
            found.append(f"{name}: relative L2 {distances[name]:.1e}, at most {limit:.0e} is allowed")
    if frames["inside"] < 0.5 or frames["standard_deviation"] < 0.02:
        found.append(f"frames: flat or clamped, so they prove nothing: {frames}")
    return found
