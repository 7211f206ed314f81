"""Attention through the public face: a plain call of `attn.attend_heads`."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import attn
from attn.spec.attention import as_attention
from attn.spec.cost import attention_flops
from attn.spec.drawing import table
from experiments.bench import jitted
from experiments.bench.contender import Arrays, Contender
from experiments.bench.work import BACKWARD, AttentionWork

STATIC = {"everything": "none", "causal": "causal"}  # what rivals have a name for


def attention(work: AttentionWork, given: Arrays) -> Contender:
    """`attn.attend_heads`, jitted by itself or inside a gradient."""
    del given
    spec = as_attention(work.spec)
    at = attn.at(segment=work.segments()) if work.documents else None

    def compute(query, key, value):
        backend = work.backend
        return attn.attend_heads(spec, query, key, value, at=at, backend=backend).value

    flops = declared(work, spec, at)
    return of_attention(work, compute, flops, lambda: told(spec, at, work))


def of_attention(
    work: AttentionWork,
    compute: Callable,
    flops: float | None = None,
    given: Callable[[], Arrays] = dict,
    more: tuple[jax.Array, ...] = (),
) -> Contender:
    """A contender out of a function of query, key and value, each [B, T, N, H].

    Args:
      work: what is computed.
      compute: the function.
      flops: declared.
      given: what others need.
      more: arrays that it takes after the three, as a mask: closed over, they would be
        constants that the compiler may work on ahead of time.
    """
    *inputs, cotangent = (jnp.asarray(x, work.dtype) for x in work.arrays())

    def both(query, key, value, cotangent, *more):
        output, pull = jax.vjp(lambda *x: compute(*x, *more), query, key, value)
        return output, *pull(cotangent)

    if work.backward:
        function, args = jax.jit(both), (*inputs, cotangent, *more)
    else:
        function, args = jax.jit(compute), (*inputs, *more)
    return jitted.contender(function, args, flops=flops, given=given)


def declared(work: AttentionWork, spec: Any, at: Any) -> float:
    """FLOPs by the mathematics, hidden pairs apart."""
    shape = {"heads": work.heads, "width": work.width, "value_width": work.width}
    once = attention_flops(spec, work.length, work.length, **shape)
    if at is not None:  # which pairs documents permit is known from the data only
        pairs = int(table(spec.mask, work.length, work.length, at).sum())
        once = work.heads * pairs * spec.similarity.pair_flops(work.width)
        once += work.heads * pairs * 2 * work.width
    return work.batch * once * (1 + BACKWARD if work.backward else 1)


def told(spec: Any, at: Any, work: AttentionWork) -> dict[str, np.ndarray]:
    """What rivals without our algebra need: the mask by name or dense, and the rest."""
    mask = STATIC.get(repr(spec.mask), "dense")
    rest = dataclasses.replace(spec, mask=attn.Attention().mask)
    said = {"mask": mask, "rest": "" if rest == attn.Attention() else repr(rest)}
    made = {"told": np.array(json.dumps(said))}
    if mask == "dense":
        made["mask"] = table(spec.mask, work.length, work.length, at)
    return made
