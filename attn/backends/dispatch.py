"""One head in, one head out: checks, the choice of a backend, and the call."""

import dataclasses
from typing import Any

import jax

from attn.backends import dense
from attn.shapes import check_head
from attn.spec.attention import as_attention
from attn.spec.site import At

BACKENDS = {"dense": dense}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Output:
    """What attention returns: `value`, and `aux` with the probes by name."""

    value: jax.Array
    aux: dict[str, jax.Array]


def attend(
    spec: Any,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    at: At | None = None,
    rng: jax.Array | None = None,
    probes: tuple[str, ...] = (),
    backend: str = "auto",
) -> Output:
    """Attention of one head.

    Args:
      spec: What to compute: an `Attention`, any piece, or notation.
      query: [T, H].
      key: [S, H].
      value: [S, E].
      at: Positions and other per-token data, from `attn.at`.
      rng: For dropout; None drops nothing.
      probes: Names of what else to return.
      backend: A name, or "auto".

    Returns:
      `Output` with value [T, E] in the dtype of `value`.

    Raises:
      ValueError: Shapes that do not fit, or an unknown backend.
    """
    spec = as_attention(spec)
    shapes = check_head(query, key, value)
    spec.check(shapes.t, shapes.s)
    name = "dense" if backend == "auto" else backend
    if name not in BACKENDS:
        known = ", ".join(["auto", *BACKENDS])
        raise ValueError(f"attend: unknown backend {backend!r}; one of {known}.")
    chosen = BACKENDS[name]
    return Output(
        *chosen.attend(spec, query, key, value, at=at, rng=rng, probes=probes)
    )
