"""`torch.nn.functional.scaled_dot_product_attention`, and which kernel ran."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity

from experiments.bench.contender import Arrays, Contender, cores
from experiments.bench.rivals.known import plain_softmax
from experiments.bench.work import AttentionWork


def attention(work: AttentionWork, given: Arrays) -> Contender:
    """Inputs lie as torch likes them, [B, N, T, H]; the mask is dense or causal."""
    told = plain_softmax(given, "torch's scaled_dot_product_attention")
    options: dict[str, Any] = {"is_causal": told.is_causal}
    inputs = tensors(work)
    if told.mask is not None:
        options = {"attn_mask": torch.tensor(told.mask, device=inputs[0].device)}

    def attend(query, key, value):
        return scaled_dot_product_attention(query, key, value, **options)

    return of_attention(work, attend, inputs)


def tensors(work: AttentionWork) -> list[torch.Tensor]:
    """Query, key, value and cotangent, each [B, N, T, H]."""
    torch.set_num_threads(cores())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, work.dtype)
    arrays = [np.ascontiguousarray(x.swapaxes(1, 2)) for x in work.arrays()]
    return [torch.tensor(x, dtype=dtype, device=device) for x in arrays]


def of_attention(
    work: AttentionWork, attend: Callable, arrays: list[torch.Tensor]
) -> Contender:
    """A contender out of a function of query, key and value, each [B, N, T, H]."""
    *inputs, cotangent = arrays

    def forward() -> tuple:
        with torch.no_grad():
            return (attend(*inputs),)

    def both() -> tuple:
        for x in inputs:
            x.grad = None
            x.requires_grad_()
        output = attend(*inputs)
        output.backward(cotangent)
        return (output.detach(), *[x.grad for x in inputs])

    call = waiting(both if work.backward else forward)

    def outputs() -> list[np.ndarray]:
        return [x.transpose(1, 2).float().cpu().numpy() for x in call()]

    return Contender(call, outputs, {"kernel": kernel(call), **libraries()})


def waiting(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, waiting for the device."""
    if not torch.cuda.is_available():
        return call

    def waited() -> Any:
        result = call()
        torch.cuda.synchronize()
        return result

    return waited


def kernel(call: Callable[[], Any]) -> str:
    """The attention operators that a call ran."""
    with torch.profiler.profile(activities=[ProfilerActivity.CPU]) as seen:
        call()
    names = {str(event.key) for event in seen.key_averages()}
    found = sorted(name for name in names if "scaled_dot_product_" in name)
    inner = [name for name in found if name != "aten::scaled_dot_product_attention"]
    return ", ".join(inner or found)


def libraries() -> dict[str, Any]:
    """Version, threads and device."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
