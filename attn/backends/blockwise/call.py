"""The backend's entry: which path a spec takes, and what stands around the fold."""

import jax
import jax.numpy as jnp

from attn import numerics
from attn.backends import planner
from attn.backends.blockwise import plan, scan
from attn.backends.blockwise.operands import Operands, gather, is_masked, shield
from attn.backends.blockwise.rule import fold
from attn.backends.blockwise.similar import as_dot
from attn.backends.planner import Tiling
from attn.backends.probes import WHOLE
from attn.shapes import Shapes
from attn.spec.attention import Attention
from attn.spec.logit import known
from attn.spec.normalizers import Softmax
from attn.spec.site import At, resolve


def supports(
    spec: Attention, shapes: Shapes, platform: str, probes: tuple[str, ...] = ()
) -> str | None:
    """Why a spec cannot be folded over key blocks, or None."""
    if not spec.normalizer.mergeable:
        return f"`{spec.normalizer!r}` needs a whole row at once: it is no monoid"
    for name in probes:
        if name in WHOLE:
            return f"the probe `{name}` is an array [T, S]"
    return None


def attend(
    spec: Attention,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    at: At | None = None,
    rng: jax.Array | None = None,
    probes: tuple[str, ...] = (),
    tiling: Tiling | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Attention of one head, in memory T + S.

    Args:
      spec: What to compute; its normalizer must be mergeable.
      query: [T, H].
      key: [S, H].
      value: [S, E].
      at: Positions and other per-token data.
      rng: For dropout; None drops nothing.
      probes: Names of what else to return.
      tiling: Sizes of tiles; None lets the planner choose. The result does not
        depend on them up to rounding, dropout not at all.

    Returns:
      Output [T, E] in the dtype of `value`, and the probes by name.
    """
    where = resolve(at, len(query), len(key), spec)
    if tiling is None:
        (t, h), (s, e) = query.shape, value.shape
        shapes = Shapes(t, s, h, e)
        tiling = planner.tiling(shapes, jax.default_backend())
    fast = isinstance(spec.normalizer, Softmax) and set(probes) <= {"log_sum_exp"}
    dtype = numerics.accumulation_dtype(query.dtype)
    if fast and (pair := as_dot_clean(spec, query, key, dtype)) is not None:
        output, sums = _softmax(spec, pair, value, where, at, rng, tiling)
        aux = dict.fromkeys(probes, sums)
        return _sink(spec.normalizer, output, sums).astype(value.dtype), aux
    output, aux = scan.attend(
        spec,
        query,
        key,
        value,
        where=where,
        given=at,
        rng=rng,
        probes=probes,
        tiling=tiling,
    )
    return output.astype(value.dtype), aux


def as_dot_clean(spec: Attention, query: jax.Array, key: jax.Array, dtype):
    """Query and key prepared for a plain dot product, with flags of bad rows."""
    flags = (None, None)
    if is_masked(spec.mask):
        (query, bad_query), (key, bad_key) = shield(query, dtype), shield(key, dtype)
        flags = bad_query, bad_key
    pair = as_dot(spec.similarity, query.astype(dtype), key.astype(dtype))
    return None if pair is None else (*pair, *flags)


def _softmax(spec, pair, value, where, given, rng, tiling):
    query, key, bad_query, bad_key = pair
    dtype = query.dtype
    value = value.astype(dtype)
    if bad_key is not None:
        value, bad_value = shield(value, dtype)
        bad_key = bad_key + bad_value
    layout, floats, others = gather(spec, where, dtype)
    operands = Operands(query, key, value, floats, others, bad_key, scan.raw_key(rng))
    tiles = plan.make(spec.mask, where, given, tiling)
    output, sums = fold(layout, tiles, operands)
    if bad_query is None:
        return output, sums
    seen = sums != -jnp.inf
    output = output + jnp.where(seen, bad_query, 0.0)[:, None]
    return output, sums + jnp.where(seen, bad_query, 0.0)


def _sink(normalizer: Softmax, output: jax.Array, sums: jax.Array) -> jax.Array:
    """The output where a sink takes its share of each row."""
    if normalizer.sink is None:
        return output
    sink = known(normalizer, "sink", sums.dtype)
    return output * jax.nn.sigmoid(sums - sink)[:, None]
