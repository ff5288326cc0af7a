"""What the GPU itself can do at Wan's shapes, through torch and cuDNN, on random data; and our own kernels."""

import json
import subprocess
import time
from statistics import median

import cudnn_graphs
import torch
import torch.nn.functional as F
from cudnn_graphs import BF16, FP8, quantised
from torch.nn.attention import SDPBackend, sdpa_kernel

FAR_TOKENS = 2048  # of the queries whose error is judged: fp32 scores of all would not fit

# tokens, in, out of each linear layer, by model and shape
LINEARS = {
    "1.3b qkvo": (32760, 1536, 1536), "1.3b qkv": (32760, 1536, 4608),
    "1.3b up": (32760, 1536, 8960), "1.3b down": (32760, 8960, 1536),
    "5b qkvo": (27280, 3072, 3072), "5b up": (27280, 3072, 14336), "5b down": (27280, 14336, 3072),
    "14b qkvo": (32760, 5120, 5120), "14b qkv": (32760, 5120, 15360),
    "14b up": (32760, 5120, 13824), "14b down": (32760, 13824, 5120),
    "14b 720p qkvo": (75600, 5120, 5120), "14b 720p up": (75600, 5120, 13824), "14b 720p down": (75600, 13824, 5120),
}
# heads, queries, keys
ATTENTIONS = {
    "1.3b": (12, 32760, 32760), "14b": (40, 32760, 32760), "14b 720p": (40, 75600, 75600), "5b": (24, 27280, 27280),
    "1.3b cross": (12, 32760, 512), "14b cross": (40, 32760, 512), "14b 720p cross": (40, 75600, 512),
    "5b cross": (24, 27280, 512),
}
# channels in and out, frames with those remembered, rows, columns: where the VAE of 480p spends its time
CONVOLUTIONS = {
    "384, 60x104": (384, 384, 3, 60, 104), "384, 120x208": (384, 384, 4, 120, 208),
    "192, 240x416": (192, 192, 6, 240, 416), "96, 480x832": (96, 96, 6, 480, 832),
}


class Clock:
    """Medians of device time, after a warm-up."""

    def __init__(self, bench):
        self.bench = bench

    def __call__(self, call, most=20, most_s=1.0):
        call()
        first = self.once(call)
        return median(self.once(call) for _ in range(max(1, min(most, int(most_s / max(first, 1e-6))))))

    def once(self, call):
        if self.bench.device == "cpu":
            began = time.perf_counter()
            call()
            return time.perf_counter() - began
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3


def randn(bench, *shape, dtype=BF16):
    return torch.randn(*shape, device=bench.device, dtype=dtype)


def relative(one, right):
    return ((one.float() - right.float()).norm() / right.float().norm()).item()


def sized(bench, shape):
    """In tiny runs every axis is at most 16."""
    return tuple(min(axis, 16) for axis in shape) if bench.tiny else shape


def rate(flops, seconds):
    return {"ms": seconds * 1e3, "tflops": flops / seconds / 1e12}


def matmul(bench, clock):
    for name, shape in LINEARS.items():
        m, k, n = sized(bench, shape)
        x, w = randn(bench, m, k), randn(bench, n, k)
        yield name, rate(2 * m * k * n, clock(lambda: F.linear(x, w)))


def sustained(bench, clock):
    """One product for a minute: what the power limit leaves."""
    m, k, n = sized(bench, LINEARS["14b up"])
    x, w = randn(bench, m, k), randn(bench, n, k)
    end, rates = time.monotonic() + (0.5 if bench.tiny else 60), []
    while time.monotonic() < end:
        seconds = clock.once(lambda: [F.linear(x, w) for _ in range(50)])
        rates.append(50 * 2 * m * k * n / seconds / 1e12)
    last = rates[len(rates) // 2:]
    yield "14b up", {"tflops": median(last), "first": rates[0], "least": min(rates), "most": max(rates)}


def fp8_matmul(bench, clock):
    for name, shape in LINEARS.items():
        m, k, n = sized(bench, shape)
        x, w = randn(bench, m, k), randn(bench, n, k)
        right = F.linear(x[:FAR_TOKENS].float(), w.float())
        for rows, dim in {"tensor": None, "row": 1}.items():
            if rows == "row" and bench.device == "cpu":
                continue  # torch has it on GPUs only
            (x8, sx), (w8, sw) = quantised(x, dim), quantised(w, dim)
            sw = sw if dim is None else sw.t().contiguous()
            for fast in (True, False):
                def product():
                    return torch._scaled_mm(x8, w8.t(), sx, sw, out_dtype=BF16, use_fast_accum=fast)
                figure = rate(2 * m * k * n, clock(product))
                yield f"{name}, by {rows}{', fast' if fast else ''}", {
                    **figure, "error": relative(product()[:FAR_TOKENS], right)}


def drawn_qkv(bench, shape):
    """[1, H, S, 128] views of [1, S, H, 128], as our attention has them. K has a mean, as trained models' has."""
    heads, queries, keys = sized(bench, shape)
    q, k, v = (randn(bench, 1, tokens, heads, 128).transpose(1, 2) for tokens in (queries, keys, keys))
    k += randn(bench, 1, heads, 1, 128) * 2
    return q, k, v, 4 * heads * queries * keys * 128


def exact(q, k, v):
    """Of the first queries, in fp32, a head at a time."""
    few = q[:, :, :FAR_TOKENS].float()
    heads = [(few[:, h] @ k[:, h].float().mT / 128**0.5).softmax(-1) @ v[:, h].float() for h in range(q.shape[1])]
    return torch.stack(heads, 1)


def attention(bench, clock):
    kinds = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}
    for name, shape in ATTENTIONS.items():
        q, k, v, flops = drawn_qkv(bench, shape)
        right = exact(q, k, v)
        for kind, backend in kinds.items():
            if kind == "cudnn" and bench.device == "cpu":
                continue
            with sdpa_kernel(backend):
                def attend():
                    return F.scaled_dot_product_attention(q, k, v)
                figure = rate(flops, clock(attend, most=5, most_s=2))
                yield f"{name}, {kind}", {**figure, "error": relative(attend()[:, :, :FAR_TOKENS], right)}


def fp8_attention(bench, clock):
    """Cross-attention is left out: 512 keys are little work."""
    out_dtype = BF16
    for name, shape in ATTENTIONS.items():
        if "cross" in name:
            continue
        q, k, v, flops = drawn_qkv(bench, shape)
        right = exact(q, k, v)
        most = 1.5 * right.abs().max().item()
        for smooth in (True, False):  # softmax does not see what is the same for all keys
            keys = k - k.mean(2, keepdim=True) if smooth else k
            try:
                attend, result = cudnn_graphs.fp8(q, keys, v, most, out_dtype)
            except Exception as why:
                if out_dtype == FP8:
                    raise
                yield "bf16 output", {"refused": f"{type(why).__name__}: {why}"[:400]}
                out_dtype = FP8
                attend, result = cudnn_graphs.fp8(q, keys, v, most, out_dtype)
            figure = rate(flops, clock(attend, most=5, most_s=2))
            yield f"{name}{', K smoothed' if smooth else ''}", {
                **figure, "error": relative(result()[:, :, :FAR_TOKENS], right)}


def attention_plans(bench, clock):
    """Whether cuDNN has a faster kernel than the one it takes by itself: all of them, and the five fastest."""
    for name in ("1.3b", "14b"):
        q, k, v, flops = drawn_qkv(bench, ATTENTIONS[name])
        right, plans = exact(q, k, v), []
        attend, result = cudnn_graphs.bf16(q, k, v)
        for plan, call in attend:
            if bench.late():
                break
            result.zero_()
            seconds = clock(call, most=3, most_s=0.5)
            plans.append((seconds, plan, relative(result[:, :, :FAR_TOKENS], right)))
        yield f"{name}, of {len(plans)} plans the first", rate(flops, plans[0][0])
        for seconds, plan, error in sorted(plans)[:5]:
            yield f"{name}, {plan}", {**rate(flops, seconds), "error": error}


def vae_attention(bench, clock):
    """One head of 384 is too wide for flash attention: what torch takes, beside two products with fp32 scores."""
    for name, tokens in {"480p": 6240, "720p": 14400}.items():
        for kind, dtype in {"bf16": BF16, "fp32": torch.float32}.items():
            q, k, v = (randn(bench, *sized(bench, (1, tokens, 384)), dtype=dtype) for _ in range(3))

            def products():
                wide = {"out_dtype": torch.float32} if dtype == BF16 and bench.device == "cuda" else {}
                return torch.bmm((torch.bmm(q, k.mT, **wide) * q.shape[-1] ** -0.5).softmax(-1).to(dtype), v)

            flops = 4 * q.shape[1] ** 2 * q.shape[2]
            right = F.scaled_dot_product_attention(*(x.float() for x in (q, k, v)))
            for how, call in {"torch's": lambda: F.scaled_dot_product_attention(q[None], k[None], v[None])[0],
                              "products": products}.items():
                yield f"{name}, {kind}, {how}", {**rate(flops, clock(call)), "error": relative(call(), right)}


def convolution(bench, clock):
    for name, shape in CONVOLUTIONS.items():
        c_in, c_out, frames, rows, columns = sized(bench, shape)
        flops = 2 * 27 * c_in * c_out * (frames - 2) * rows * columns
        for layout, form in {"NCDHW": torch.contiguous_format, "NDHWC": torch.channels_last_3d}.items():
            x = randn(bench, 1, c_in, frames, rows, columns).contiguous(memory_format=form)
            w = randn(bench, c_out, c_in, 3, 3, 3).contiguous(memory_format=form)
            for tuned in (False, True):
                torch.backends.cudnn.benchmark = tuned
                seconds = clock(lambda: F.conv3d(x, w, padding=(0, 1, 1)))
                yield f"{name}, {layout}{', benchmark' if tuned else ''}", rate(flops, seconds)
        torch.backends.cudnn.benchmark = False


def bandwidth(bench, clock):
    def moved(nbytes, seconds):
        return {"ms": seconds * 1e3, "gbps": nbytes / seconds / 1e9}

    bytes_ = (1 << 20) if bench.tiny else (2 << 30)
    x = randn(bench, bytes_ // 2)
    y = torch.empty_like(x)
    yield "copy", moved(2 * bytes_, clock(lambda: y.copy_(x)))
    yield "x + y", moved(3 * bytes_, clock(lambda: torch.add(x, y, out=y)))
    tokens = x[: x.numel() // 5120 * 5120].view(-1, 5120)
    fit = tokens.numel() * 2
    yield "layer_norm, 5120", moved(2 * fit, clock(lambda: F.layer_norm(tokens, (5120,))))
    yield "rms_norm, 5120", moved(2 * fit, clock(lambda: F.rms_norm(tokens, (5120,))))
    yield "gelu", moved(2 * bytes_, clock(lambda: F.gelu(x, approximate="tanh")))
    host = torch.empty(min(bytes_, 1 << 30), dtype=torch.uint8, pin_memory=bench.device == "cuda").random_()
    device = torch.empty_like(host, device=bench.device)
    yield "host to device, pinned", moved(host.numel(), clock(lambda: device.copy_(host, non_blocking=True)))
    yield "device to host, pinned", moved(host.numel(), clock(lambda: host.copy_(device, non_blocking=True)))


def kernels(bench, clock):
    """Ours beside libtorch's: it measures by itself."""
    command = [bench.bundle / "run", "kernels_bench", bench.device, *(["tiny"] if bench.tiny else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            figure = json.loads(line)
            yield figure.pop("name"), figure
    if running.returncode:
        raise RuntimeError(f"kernels_bench ended with {running.returncode}")


# The most valuable first.
WHAT = {f.__name__: f for f in (kernels, attention, matmul, bandwidth, attention_plans, fp8_attention, fp8_matmul,
                                convolution, vae_attention, sustained)}


def measure(bench, what):
    if (bench.store.get("ceilings", what) or {}).get("whole"):
        return
    torch.manual_seed(1)
    found = {}
    try:
        for name, figure in WHAT[what](bench, Clock(bench)):
            found[name] = figure
            bench.store.put("ceilings", what, figure=dict(found))
            if bench.late():
                return
        bench.store.put("ceilings", what, figure={**found, "whole": True})
    except Exception as why:
        bench.store.put("ceilings", what, figure={**found, "failed": f"{type(why).__name__}: {why}"[:1000]})
    finally:
        if bench.device == "cuda":
            torch.cuda.empty_cache()
