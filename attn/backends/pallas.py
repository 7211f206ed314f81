"""Room for kernels of our own on GPU and TPU, from the same spec; none yet."""

import jax

from attn.shapes import Shapes
from attn.spec.attention import Attention
from attn.spec.site import At


def supports(
    spec: Attention, shapes: Shapes, platform: str, probes: tuple[str, ...] = ()
) -> str | None:
    """Why no kernel runs."""
    if platform == "cpu":
        return "Pallas has no compiled kernels on CPU"
    return f"no kernel is written for {platform} yet; blockwise runs there"


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
    """Raises: there is no kernel to run."""
    raise ValueError("attend: backend 'pallas' has no kernel yet; use backend='auto'.")
