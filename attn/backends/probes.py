"""What else a call may return, by name: of all keys at once, and folded over them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attn import numerics
from attn.shapes import Shapes
from attn.spec.field import is_varying
from attn.spec.mask import Mask
from attn.spec.notation import parse
from attn.spec.site import Site


class Folded(NamedTuple):
    """What a fold over the keys leaves for a probe; each array is [T]."""

    sums: Mapping[str, jax.Array]  # of the unfinished weights
    gain: jax.Array  # finishes them
    largest: jax.Array  # logit
    log_sum_exp: jax.Array  # of the logits


class Sum(NamedTuple):
    """What a fold adds up over its tiles.

    Attributes:
      of: (unfinished weights, site) -> [T].
      scaled: (all sums, factor [T]) -> [T], the sum if each weight were multiplied;
        None where that multiplies the sum.
    """

    of: Callable[[jax.Array, Site], jax.Array]
    scaled: Callable[[Mapping[str, jax.Array], jax.Array], jax.Array] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """One probe.

    Attributes:
      name: What a caller writes.
      whole: (logits, weights, site) -> array, of all keys: hidden logits are minus
        infinity, weights are finished.
      sums: What a fold adds up for it, by names that probes share.
      finish: Folded -> [T]; None where that cannot be folded.
      mask: Which keys it asks about, None for all.
      positional: Whether it compares positions.
    """

    name: str
    whole: Callable[[jax.Array, jax.Array, Site], jax.Array]
    sums: Mapping[str, Sum] = dataclasses.field(default_factory=dict)
    finish: Callable[[Folded], jax.Array] | None = None
    mask: Mask | None = None
    positional: bool = False

    def __repr__(self) -> str:
        return f"the probe `{self.name}`"

    def needs_positions(self) -> bool:
        """Whether the result depends on absolute positions."""
        return self.positional or (
            self.mask is not None and self.mask.needs_positions()
        )

    def needs_data(self) -> tuple[str, ...]:
        """The per-token data that it reads."""
        return () if self.mask is None else self.mask.needs_data()


def probe_names(who: str, probes: Any) -> tuple[str, ...]:
    """The names of probes as a tuple; a name may stand alone.

    Raises:
      ValueError: Something is no text; the message names `who` asked.
    """
    names = tuple(probes) if isinstance(probes, (tuple, list)) else (probes,)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"{who}: `probes` must be names such as 'entropy', got {probes!r}."
        )
    return names


def check_probes(who: str, probes: Any, shapes: Shapes) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
      ValueError: An unknown name, or `mass(...)` of what is no mask for these shapes.
    """
    probes = probe_names(who, probes)
    for name in probes:
        mask = probe(name).mask
        if mask is not None:
            mask.check(shapes.t, shapes.s)
    return probes


@functools.cache
def probe(name: str) -> Probe:
    """The probe of a name.

    Raises:
      ValueError: An unknown name, or `mass(...)` of what is no mask.
    """
    if name in PROBES:
        return PROBES[name]
    if name.startswith("mass(") and name.endswith(")"):
        return _mass(name, name[len("mass(") : -1])
    raise ValueError(
        f"attend: unknown probe `{name}`; one of {', '.join(PROBES)}, mass(MASK)."
    )


def _mass(name: str, text: str) -> Probe:
    """How much weight lies on the keys that a mask allows."""
    mask = parse(text)
    if not isinstance(mask, Mask):
        raise ValueError(
            f"attend: the probe `{name}` wants a mask, for example mass(first(4))."
        )
    if any(map(is_varying, jax.tree.leaves(mask, is_leaf=is_varying))):
        raise ValueError(
            f"attend: the probe `{name}` wants one mask for all heads and the batch."
        )

    def on_allowed(weights: jax.Array, site: Site) -> jax.Array:
        return jnp.sum(numerics.hide(weights, mask.allows(site), 0.0), axis=-1)

    # A tile cannot cut an array that is indexed by query or key out of a name.
    is_cut = any(piece.indexed for piece in mask.walk())
    return Probe(
        name=name,
        whole=lambda logits, weights, site: on_allowed(weights, site),
        sums={name: Sum(on_allowed)},
        finish=None if is_cut else lambda folded: folded.sums[name] * folded.gain,
        mask=mask,
    )


def times_log(x: Any) -> Any:
    """x log x, with 0 at 0."""
    return x * jnp.log(jnp.where(x > 0, x, 1.0))


def _entropy(logits: jax.Array, weights: jax.Array, site: Site) -> jax.Array:
    """-sum(w log w) [T]; hidden keys and empty rows count nothing."""
    return -jnp.sum(times_log(weights), axis=-1)


def _folded_entropy(folded: Folded) -> jax.Array:
    """The same of weights that the gain finishes."""
    return -_scaled_log(folded.sums, folded.gain)


def _scaled_log(sums: Mapping[str, jax.Array], factor: jax.Array) -> jax.Array:
    """Sum of (a u) log(a u), of the sums of u and u log u."""
    return factor * sums["weight_log"] + times_log(factor) * sums["weight"]


def _distance(weights: jax.Array, site: Site) -> jax.Array:
    """Sum of weight times |query_pos - key_pos|, [T]."""
    return jnp.sum(weights * jnp.abs(site.distance).astype(weights.dtype), axis=-1)


PROBES = {
    probe.name: probe
    for probe in (
        Probe(
            name="log_sum_exp",
            whole=lambda logits, weights, site: numerics.log_sum_exp(logits),
            finish=lambda folded: folded.log_sum_exp,
        ),
        Probe(
            name="entropy",
            whole=_entropy,
            sums={
                "weight": Sum(lambda weights, site: jnp.sum(weights, -1)),
                "weight_log": Sum(
                    lambda weights, site: jnp.sum(times_log(weights), -1),
                    _scaled_log,
                ),
            },
            finish=_folded_entropy,
        ),
        Probe(
            name="max_logit",
            whole=lambda logits, weights, site: numerics.largest(logits),
            finish=lambda folded: folded.largest,
        ),
        Probe(
            name="mean_distance",
            whole=lambda logits, weights, site: _distance(weights, site),
            sums={"distance": Sum(_distance)},
            finish=lambda folded: folded.sums["distance"] * folded.gain,
            positional=True,
        ),
        Probe(name="weights", whole=lambda logits, weights, site: weights),
        Probe(name="logits", whole=lambda logits, weights, site: logits),
    )
}
