"""The readable definition: one head, all logits at once. Everything works here."""

import jax
import jax.numpy as jnp

from attn import numerics
from attn.backends.probes import probe
from attn.products import product
from attn.shapes import Shapes
from attn.spec.attention import Attention
from attn.spec.mask import Everything
from attn.spec.normalizers import Normalizer
from attn.spec.similarity import compare_shielded
from attn.spec.site import At, Site, resolve, whole


def supports(
    spec: Attention, shapes: Shapes, platform: str, probes: tuple[str, ...] = ()
) -> str | None:
    """Nothing is refused."""
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
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Attention of one head, in memory T x S.

    Args:
      spec: What to compute.
      query: [T, H].
      key: [S, H].
      value: [S, E].
      at: Positions and other per-token data.
      rng: For dropout; None drops nothing.
      probes: Names of what else to return.

    Returns:
      Output [T, E] in the dtype of `value`, and the probes by name.
    """
    readers = spec, *map(probe, probes)
    site = whole(resolve(at, len(query), len(key), *readers))
    logits, allowed, value = scores(spec, query, key, value, site)
    weights, gain = normalize(spec.normalizer, logits, allowed)
    dropped = spec.dropout.apply(weights, rng, site)
    output = product(dropped, value.astype(weights.dtype))
    if gain is not None:  # after the product: T x E multiplications, not T x S
        output = output * gain[:, None]
    if probes and gain is not None:
        weights = weights * gain[:, None]
    aux = measure(probes, logits, allowed, weights, site) if probes else {}
    return output.astype(value.dtype), aux


def scores(
    spec: Attention, query: jax.Array, key: jax.Array, value: jax.Array, site: Site
) -> tuple[jax.Array, jax.Array | None, jax.Array]:
    """Logits, which of them count, and values that are safe to multiply by zero.

    Returns:
      Logits [T, S] in the accumulation dtype; booleans that broadcast to [T, S], or
      None where every pair counts; values [S, E].
    """
    if isinstance(spec.mask, Everything):
        logits = spec.similarity.compare(query, key)
        return spec.logits.apply(logits, site), None, value
    allowed = spec.mask.allows(site)
    value, flags = numerics.quarantine(value, lifted=True)
    logits = compare_shielded(spec.similarity, query, key)
    logits = spec.logits.apply_visible(logits, site, allowed)
    return logits + flags.astype(logits.dtype)[None], allowed, value


def normalize(
    normalizer: Normalizer, logits: jax.Array, allowed: jax.Array | None
) -> tuple[jax.Array, jax.Array | None]:
    """Weights [T, S], and the factor [T] that finishes them, or None if they are."""
    if not normalizer.mergeable:
        return normalizer.weights(logits, allowed), None
    weights, state = normalizer.lift(logits, allowed)
    return weights, normalizer.close(state)


def measure(
    probes: tuple[str, ...],
    logits: jax.Array,
    allowed: jax.Array | None,
    weights: jax.Array,
    site: Site,
) -> dict[str, jax.Array]:
    """The probes by name, of finished weights [T, S]."""
    shown = numerics.hide(logits, allowed, -jnp.inf)
    return {name: probe(name).whole(shown, weights, site) for name in probes}
