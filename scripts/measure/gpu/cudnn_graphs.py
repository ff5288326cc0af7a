"""Attention through cuDNN's front end, for what torch does not let one choose."""

from itertools import islice, product

import torch

BF16, FP8 = torch.bfloat16, torch.float8_e4m3fn
FP8_MOST = 448.0
MOST_OF_AN_ENGINE = 48  # plans: each is compiled


def quantised(x, dim=None):
    """x in fp8, and the factors that undo it: one, or one along `dim` for each row."""
    most = x.abs().amax() if dim is None else x.abs().amax(dim, keepdim=True)
    scale = most.float() / FP8_MOST
    return (x.float() / scale).to(FP8), scale


def graph_of(values):
    """A graph whose tensors are `values`, in the current stream; and its handle."""
    import cudnn

    handle = cudnn.create_handle()
    cudnn.set_stream(handle=handle, stream=torch.cuda.current_stream().cuda_stream)
    graph = cudnn.pygraph(io_data_type=values, intermediate_data_type=cudnn.data_type.FLOAT,
                          compute_data_type=cudnn.data_type.FLOAT, handle=handle)
    return graph, handle


def write_to(node, result, values):
    node.set_output(True).set_dim(list(result.shape)).set_stride(list(result.stride())).set_data_type(values)


def bf16(q, k, v):
    """Attends by every plan that cuDNN can make: (name, call) of each, the one it would take first; and the output."""
    import cudnn

    graph, handle = graph_of(cudnn.data_type.BFLOAT16)
    pack = {graph.tensor(dim=list(x.shape), stride=list(x.stride()), data_type=cudnn.data_type.BFLOAT16): x
            for x in (q, k, v)}
    out, _ = graph.sdpa(*pack, generate_stats=False, attn_scale=q.shape[-1] ** -0.5)
    result = torch.empty_like(q)
    write_to(out, result, cudnn.data_type.BFLOAT16)
    pack[out] = result
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.B, cudnn.heur_mode.FALLBACK])
    for engine in range(graph.get_engine_count()):
        try:
            knobs = graph.get_knobs_for_engine(engine)
        except Exception:
            continue  # not of this GPU
        values = [[(knob.type, value) for value in range(knob.min_value, knob.max_value + 1, max(1, knob.stride))]
                  for knob in knobs]
        for chosen in islice(product(*values), MOST_OF_AN_ENGINE):
            try:
                graph.create_execution_plan(engine, dict(chosen))
            except Exception:
                continue

    def plans():
        for index in range(graph.get_execution_plan_count()):
            try:
                graph.build_plan_at_index(index)
            except Exception:
                continue
            nbytes = max(1, graph.get_workspace_size_plan_at_index(index))
            workspace = torch.empty(nbytes, device=q.device, dtype=torch.uint8)
            yield (graph.get_plan_name_at_index(index),
                   lambda: graph.execute_plan_at_index(pack, workspace, index, handle=handle))
    return plans(), result


def fp8(q, k, v, most, out_dtype):
    """Attends in fp8 through cuDNN's front end: the call, and what gives its output. A scale for each tensor; those of
    P, which is in 0…1, and of an fp8 output, at most `most`, are known before."""
    import cudnn

    types = {FP8: cudnn.data_type.FP8_E4M3, BF16: cudnn.data_type.BFLOAT16}
    graph, handle = graph_of(types[FP8])
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
    write_to(out, result, types[out_dtype])
    pack[out] = result
    for node in (most_p, most_o):
        node.set_output(True).set_dim([1] * 4).set_stride([1] * 4).set_data_type(cudnn.data_type.FLOAT)
        pack[node] = torch.zeros(1, 1, 1, 1, device=q.device)
    graph.build([cudnn.heur_mode.A])
    workspace = torch.empty(max(1, graph.get_workspace_size()), device=q.device, dtype=torch.uint8)
    return lambda: graph.execute(pack, workspace, handle=handle), lambda: result.float() / scale_o
