"""torch's FlexAttention, compiled, where it runs: on a CPU forward only."""

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.known import Known, plain_softmax
from experiments.bench.rivals.torch_sdpa import of_attention, tensors
from experiments.bench.work import AttentionWork


def attention(work: AttentionWork, given: Arrays) -> Contender:
    """A block mask of the spec's, which skips empty blocks."""
    told = plain_softmax(given, "FlexAttention as it is called here")
    arrays = tensors(work)
    mask = block_mask(told, work, arrays[0].device.type)
    compiled = torch.compile(flex_attention)

    def attend(query, key, value):
        return compiled(query, key, value, block_mask=mask)

    return of_attention(work, attend, arrays)


def block_mask(told: Known, work: AttentionWork, device: str):
    """The mask as positions for causal, else looked up in the dense one."""
    if told.mask is None and not told.is_causal:
        return None
    dense = None if told.mask is None else torch.tensor(told.mask, device=device)

    def allowed(b, h, i, j):
        return i >= j if dense is None else dense[i, j]

    t = work.length
    return create_block_mask(allowed, None, None, t, t, device=device)
