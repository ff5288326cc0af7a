"""What the GPU itself can do at Wan's shapes, through torch and cuDNN, on random data."""

import time
from statistics import median

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

BF16, FP8 = torch.bfloat16, torch.float8_e4m3fn
FP8_MOST = 448.0
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


def quantised(x, dim=None):
    """x in fp8, and the factors that undo it: one, or one along `dim` for each row."""
    most = x.abs().amax() if dim is None else x.abs().amax(dim, keepdim=True)
    scale = most.float() / FP8_MOST
    return (x.float() / scale).to(FP8), scale


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


def fp8_graph(q, k, v, most, out_dtype):
    """Attends in fp8 through cuDNN's front end: the call, and what gives its output. A scale for each tensor; those of
    P, which is in 0…1, and of an fp8 output, at most `most`, are known before."""
    import cudnn

    types = {FP8: cudnn.data_type.FP8_E4M3, BF16: cudnn.data_type.BFLOAT16}
    handle = cudnn.create_handle()
    cudnn.set_stream(handle=handle, stream=torch.cuda.current_stream().cuda_stream)
    graph = cudnn.pygraph(io_data_type=types[FP8], intermediate_data_type=cudnn.data_type.FLOAT,
                          compute_data_type=cudnn.data_type.FLOAT, handle=handle)
    pack = {}

    def scalar(value):
        node = graph.tensor(dim=[1] * 4, stride=[1] * 4, data_type=cudnn.data_type.FLOAT)
        pack[node] = torch.full((1, 1, 1, 1), float(value), device=q.device)
        return node

    def packed(x):
        x8, scale = quantised(x)
        x8 = x8.transpose(1, 2).contiguous().transpose(1, 2)
        node = graph.tensor(dim=list(x8.shape), stride=list(x8.stride()), data_type=types[FP8])
        pack[node] = x8
        return node, scalar(scale)

    (q8, sq), (k8, sk), (v8, sv) = map(packed, (q, k, v))
    scale_o = FP8_MOST / most if out_dtype == FP8 else 1.0
    out, _, most_p, most_o = graph.sdpa_fp8(
        q=q8, k=k8, v=v8, descale_q=sq, descale_k=sk, descale_v=sv, descale_s=scalar(1 / FP8_MOST),
        scale_s=scalar(FP8_MOST), scale_o=scalar(scale_o), generate_stats=False, attn_scale=128**-0.5)
    result = torch.empty_like(pack[q8], dtype=out_dtype)
    out.set_output(True).set_dim(list(q.shape)).set_stride(list(result.stride())).set_data_type(types[out_dtype])
    pack[out] = result
    for node in (most_p, most_o):
        node.set_output(True).set_dim([1] * 4).set_stride([1] * 4).set_data_type(cudnn.data_type.FLOAT)
        pack[node] = torch.zeros(1, 1, 1, 1, device=q.device)
    graph.build([cudnn.heur_mode.A])
    workspace = torch.empty(max(1, graph.get_workspace_size()), device=q.device, dtype=torch.uint8)
    return lambda: graph.execute(pack, workspace, handle=handle), lambda: result.float() / scale_o


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
                attend, result = fp8_graph(q, keys, v, most, out_dtype)
            except Exception as why:
                if out_dtype == FP8:
                    raise
                yield "bf16 output", {"refused": f"{type(why).__name__}: {why}"[:400]}
                out_dtype = FP8
                attend, result = fp8_graph(q, keys, v, most, out_dtype)
            figure = rate(flops, clock(attend, most=5, most_s=2))
            yield f"{name}{', K smoothed' if smooth else ''}", {
                **figure, "error": relative(result()[:, :, :FAR_TOKENS], right)}


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


# The most valuable first.
WHAT = {f.__name__: f for f in (attention, matmul, bandwidth, fp8_attention, fp8_matmul, convolution, sustained)}


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
