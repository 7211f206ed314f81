"""One head in, one head out: checks, the choice of a backend, and the call."""

import dataclasses
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attn.backends import blockwise, dense, fused, pallas, planner
from attn.backends.planner import Steps, Tiling
from attn.backends.probes import check_probes
from attn.shapes import Shapes, check_head
from attn.spec.attention import Attention, as_attention
from attn.spec.dropout import check_rng
from attn.spec.field import ByValue
from attn.spec.site import At, check_at

# A backend is a module with `supports(spec, shapes, platform, probes)`, which gives a
# reason or None, and `attend`.
BACKENDS = {
    "dense": dense,
    "blockwise": blockwise,
    "fused": fused,
    "pallas": pallas,
}
# Where all logits of a head fit in the cache a fold only adds overhead.
SMALL = 128 * 128


@dataclasses.dataclass(frozen=True)
class Choice:
    """A backend as it was chosen.

    Attributes:
      spec: What it computes.
      shapes: For which sizes; a lifted call chooses once more for each single head.
      probes: What else it returns.
      asked: What was asked for, a name or "auto".
      name: Of the backend that runs.
    """

    spec: Attention
    shapes: Shapes
    probes: tuple[str, ...]
    asked: str
    name: str


# A list set here gets every choice that is made while tracing, for whoever measures.
choices: ContextVar[list[Choice] | None] = ContextVar("choices", default=None)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Output(ByValue):
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
    tiling: Tiling | None = None,
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
      backend: A name, or "auto" for the fastest that does not refuse.
      tiling: Tile sizes of the blockwise backend; None lets its planner choose.

    Returns:
      `Output` with value [T, E] in the dtype of `value`.

    Raises:
      ValueError: Shapes that do not fit, an unknown backend, or a named one that
        refuses, with its reason.
    """
    spec = as_attention(spec)
    if at is not None:
        check_at("attend", at)
    # NumPy's float64 is no wish for float64: JAX decides, as it does under jit.
    query, key, value = (
        jnp.asarray(x) if isinstance(x, np.ndarray) else x for x in (query, key, value)
    )
    shapes = placed(check_head(query, key, value), at)
    spec.check(shapes.t, shapes.s)
    check_rng("attend", rng)
    probes = check_probes("attend", probes, shapes)
    name = choose(spec, shapes, probes=probes, backend=backend)
    if not isinstance(tiling, Tiling | None):
        raise ValueError(
            f"attend: `tiling` must be a Tiling, got {tiling!r}; write for example "
            "Tiling(rows=256, cols=256), from attn.backends.planner."
        )
    options = {} if tiling is None else {"tiling": tiling}
    if options and name != "blockwise":
        raise ValueError(
            f"attend: `tiling` is for backend 'blockwise', and {name!r} runs; name "
            "backend='blockwise' or leave `tiling` out."
        )
    return Output(
        *BACKENDS[name].attend(
            spec, query, key, value, at=at, rng=rng, probes=probes, **options
        )
    )


def placed(shapes: Shapes, at: At | None) -> Shapes:
    """The shapes of a call whose caller says where tokens stand, if one does."""
    given = at is not None and not (at.query_pos is None and at.key_pos is None)
    return dataclasses.replace(shapes, placed=given)


def choose(
    spec: Attention,
    shapes: Shapes,
    *,
    probes: tuple[str, ...] = (),
    backend: str = "auto",
    platform: str | None = None,
) -> str:
    """The name of the backend that runs; `choices` hears of it.

    Args:
      spec: What to compute.
      shapes: For which sizes.
      probes: What else to return.
      backend: A name or "auto".
      platform: Only asks who would run there; None chooses for where JAX runs.

    Raises:
      ValueError: An unknown name, or a named backend that refuses, with its reason.
    """
    name = _chosen(spec, shapes, probes, backend, platform or jax.default_backend())
    if platform is None and (noted := choices.get()) is not None:
        noted.append(Choice(spec, shapes, probes, backend, name))
    return name


def _chosen(spec, shapes, probes, backend, platform) -> str:
    if backend == "auto":
        able = (
            name
            for name in preference(shapes, platform)
            if BACKENDS[name].supports(spec, shapes, platform, probes) is None
        )
        return next(able)
    check_backend(backend)
    reason = BACKENDS[backend].supports(spec, shapes, platform, probes)
    if reason is not None:
        raise ValueError(
            f"attend: backend {backend!r} refuses: {reason}; use backend='auto'."
        )
    return backend


def check_backend(backend: Any) -> None:
    """Refuses what is no name of a backend."""
    known = ["auto", *BACKENDS]
    if not isinstance(backend, str) or backend not in known:
        raise ValueError(
            f"attend: unknown backend {backend!r}; one of {', '.join(known)}."
        )


def steps(name: str, shapes: Shapes, platform: str | None = None) -> Steps | None:
    """What a lifted call computes side by side; None is all of it. See the planner."""
    if name != "blockwise":
        return None
    return planner.steps(shapes, platform or jax.default_backend())


def tiling(name: str, spec: Attention, shapes: Shapes) -> Tiling | None:
    """How a lifted call cuts each head; None where the backend cuts none."""
    return blockwise.tiles(spec, shapes) if name == "blockwise" else None


def preference(shapes: Shapes, platform: str) -> tuple[str, ...]:
    """The backends from the fastest to the slowest; dense is last and refuses nothing.

    Only on GPU is jax.nn asked first: there it may be a cuDNN kernel; on CPU it is the
    dense computation without our skipping.
    """
    if platform == "gpu" and fused.is_kernel(shapes, platform):
        return ("fused", "blockwise", "dense")
    if is_small(shapes):
        return ("dense",)
    return ("blockwise", "dense")


def is_small(shapes: Shapes) -> bool:
    """Whether all logits of a head fit in the cache."""
    return shapes.t * shapes.s <= SMALL
