"""The backend's entry: which path a spec takes, and what stands around the fold."""

import jax
import jax.numpy as jnp

from attn import numerics
from attn.backends import planner
from attn.backends.blockwise import plan, scan
from attn.backends.blockwise.operands import gather, is_masked
from attn.backends.blockwise.rule import Inputs, fold
from attn.backends.blockwise.similar import PREPARE
from attn.backends.dependence import blank
from attn.backends.planner import Tiling
from attn.backends.probes import probe
from attn.shapes import Shapes
from attn.spec.attention import Attention
from attn.spec.logit import known
from attn.spec.normalizers import Softmax, SoftmaxOne
from attn.spec.site import At, resolve


def supports(
    spec: Attention, shapes: Shapes, platform: str, probes: tuple[str, ...] = ()
) -> str | None:
    """Why a spec cannot be folded over key blocks, or None."""
    if not spec.normalizer.mergeable:
        return f"`{spec.normalizer!r}` needs a whole row at once: it is no monoid"
    for piece in spec.walk():
        if piece.is_closed_over_traced():
            return (
                f"a function in `{piece!r}` closes over an array that is traced, whose "
                f"gradient would be lost; give it by name: {piece.name}(f, table=table)"
            )
    for name in probes:
        if probe(name).finish is None:
            return f"{probe(name)!r} is, or reads, an array [T, S]"
    if 0 in (shapes.batch, shapes.t, shapes.s):
        return "there is no pair of query and key to fold over"
    return None


def tiles(spec: Attention, shapes: Shapes) -> Tiling:
    """How each head of a call of these shapes is cut."""
    masked = is_masked(spec.mask)
    return planner.tiling(shapes, jax.default_backend(), masked=masked)


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
    where = resolve(at, len(query), len(key), spec, *map(probe, probes))
    if tiling is None:
        (t, h), (s, e) = query.shape, value.shape
        tiling = tiles(spec, Shapes(t, s, h, e))
    plain = type(spec.normalizer) in (Softmax, SoftmaxOne)  # no user's own fold
    fast = plain and set(probes) <= {"log_sum_exp"}
    if fast and type(spec.similarity) in PREPARE:
        output, sums, _ = _softmax(spec, query, key, value, where, at, rng, tiling)
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


def _softmax(spec, query, key, value, where, given, rng, tiling):
    """Output, log-sum-exp and its rounding, by the fold with a rule of its own."""
    dtype = numerics.accumulation_dtype(query.dtype)
    layout, floats, others = gather(spec, where, dtype)
    leaves, structure = jax.tree.flatten(spec.similarity)
    query, key, value = (x.astype(dtype) for x in (query, key, value))
    # Before the rule: inside, JAX 0.10 cannot transpose an array that begins to vary.
    constants = blank((query, key, value), (others, scan.raw_key(rng)))
    leaves = tuple(jnp.asarray(leaf, dtype) for leaf in leaves)
    # The rule outlives the call: what it closes over must hold no array of the spec.
    masked = is_masked(spec.mask)

    def prepare(inputs: Inputs, ahead: bool = False):
        query, key, value, flags = *inputs[:3], (None, None)
        if masked:
            (safe_query, bad_query), (safe_key, bad_key), (value, bad_value) = map(
                numerics.quarantine, (query, key, value)
            )
            flags = bad_key + bad_value, bad_query
            if not ahead:
                query, key = safe_query, safe_key
        similarity = jax.tree.unflatten(structure, inputs.similarity)
        query, key = PREPARE[type(similarity)](similarity, query, key)
        return (query, key, value, inputs.floats), flags

    inputs = Inputs(query, key, value, leaves, floats)
    cut = plan.make(spec.mask, where, given, tiling)
    return fold(layout, cut, prepare, inputs, constants)


def _sink(normalizer: Softmax, output: jax.Array, sums: jax.Array) -> jax.Array:
    """The output where a sink takes its share of each row."""
    if normalizer.sink is None:
        return output
    sink = known(normalizer, "sink", sums.dtype)
    empty = sums == -jnp.inf  # as a sink may be
    share = jax.nn.sigmoid(jnp.where(empty, 0.0, sums) - sink)
    return output * jnp.where(empty, 0.0, share)[:, None]
