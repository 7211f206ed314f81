"""Attention layers in torch: its own, and x-transformers'."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from experiments.bench.contender import Arrays, Contender, cores, only_causal
from experiments.bench.rivals.torch_sdpa import kernel, libraries, waiting
from experiments.bench.work import LayerWork


def attention(work: LayerWork, given: Arrays) -> Contender:
    """`torch.nn.MultiheadAttention` without weights, so that its fast kernel runs."""
    del given
    only_causal(work.spec)
    start()
    layer = nn.MultiheadAttention(work.width, work.heads, bias=False, batch_first=True)
    query, key, value, output = (torch.tensor(x.T) for x in work.weights())
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([query, key, value]))
        layer.out_proj.weight.copy_(output)
    mask = nn.Transformer.generate_square_subsequent_mask(work.length)

    def apply(x: Tensor) -> Tensor:
        return layer(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]

    def slopes() -> list[Tensor]:
        return [*layer.in_proj_weight.grad.chunk(3), layer.out_proj.weight.grad]

    return of_layer(work, layer, apply, slopes)


def x_transformers(work: LayerWork, given: Arrays) -> Contender:
    """`x_transformers.Attention` with flash=True."""
    del given
    only_causal(work.spec)
    from x_transformers.x_transformers import Attention  # late: the row above needs not

    start()
    width = work.width // work.heads
    layer = Attention(
        work.width, dim_head=width, heads=work.heads, causal=True, flash=True
    )
    maps = [layer.to_q, layer.to_k, layer.to_v, layer.to_out]
    with torch.no_grad():
        for each, array in zip(maps, work.weights(), strict=True):
            each.weight.copy_(torch.tensor(array.T))

    def apply(x: Tensor) -> Tensor:
        found = layer(x)
        return found[0] if isinstance(found, tuple) else found

    return of_layer(work, layer, apply, lambda: [each.weight.grad for each in maps])


def start() -> None:
    """Threads as all others have."""
    torch.set_num_threads(cores())
    torch.manual_seed(0)


def of_layer(
    work: LayerWork,
    layer: nn.Module,
    apply: Callable[[Tensor], Tensor],
    slopes: Callable[[], list[Tensor]],
) -> Contender:
    """A contender out of a layer; `slopes` reads gradients [outputs, inputs]."""
    x, cotangent = map(torch.from_numpy, work.arrays())

    def forward() -> list[Tensor]:
        with torch.no_grad():
            return [apply(x)]

    def both() -> list[Tensor]:
        layer.zero_grad(set_to_none=True)
        x.grad = None
        x.requires_grad_()
        output = apply(x)
        output.backward(cotangent)
        return [output.detach(), x.grad]

    call = waiting(both if work.backward else forward)

    def outputs() -> list[np.ndarray]:
        found = call()
        turned = [each.T for each in slopes()] if work.backward else []
        return [each.numpy() for each in [*found, *turned]]

    return Contender(call, outputs, {"kernel": kernel(call), **libraries()})
