"""Who would run a spec, and why the others refuse: a table to print."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from attn.backends.dispatch import (
    BACKENDS,
    choose,
    is_small,
    placed,
    preference,
    steps,
)
from attn.backends.probes import check_probes, probe
from attn.batches import check_varying, mark_batch, of_one_head
from attn.shapes import Shapes, check_heads
from attn.spec.attention import Attention, as_attention
from attn.spec.site import At, check_sites

PLATFORMS = ("cpu", "gpu", "tpu")


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The answer of `explain`; `print` shows it as a table.

    Attributes:
      spec: What was asked about, in notation.
      shapes: For which sizes.
      platform: "cpu", "gpu" or "tpu".
      runs: The backend that "auto" takes.
      reasons: For each backend why it refuses, or None.
      at_once: How many query heads run side by side.
    """

    spec: str
    shapes: Shapes
    platform: str
    runs: str
    reasons: dict[str, str | None]
    at_once: int

    @property
    def why(self) -> str:
        """Why "auto" takes the one that runs; empty where another was asked for."""
        order = preference(self.shapes, self.platform)
        able = [name for name in order if self.reasons[name] is None]
        if self.runs != able[0]:
            return ""
        if order == ("dense",) and is_small(self.shapes):
            return "small: all logits of a head fit the cache"
        return f"the first of {', '.join(order)} that does not refuse"

    def __str__(self) -> str:
        size = self.shapes
        width = max(map(len, self.reasons))
        lines = [
            self.spec,
            f"B={size.batch} T={size.t} S={size.s} N={size.heads} K={size.key_heads} "
            f"H={size.h} E={size.e} {np.dtype(size.dtype).name} on {self.platform}",
        ]
        for name, reason in self.reasons.items():
            if name == self.runs:
                heads = "1 head" if self.at_once == 1 else f"{self.at_once} heads"
                why = f" ({self.why})" if self.why else ""
                word = f"runs, {heads} at a time{why}"
            else:
                word = "could run" if reason is None else f"refuses: {reason}"
            lines.append(f"  {name:{width}}  {word}")
        return "\n".join(lines)


def explain(
    spec: Any,
    query: Any,
    key: Any = None,
    value: Any = None,
    *,
    at: At | None = None,
    probes: str | tuple[str, ...] = (),
    platform: str | None = None,
) -> Explanation:
    """Says which backend runs a lifted call, and why each other one refuses.

    Args:
      spec: An `Attention`, any piece, or notation.
      query: [B, T, N, H], an array or a `jax.ShapeDtypeStruct`; or a `Shapes`.
      key: [B, S, K, H]; None is the shape of `query`.
      value: [B, S, K, E]; None is the shape of `key`.
      at: Positions and other per-token data that the call would give.
      probes: What else the call would return.
      platform: "cpu", "gpu" or "tpu"; None is where JAX runs.

    Returns:
      An `Explanation`: its `runs` and `reasons`, and a table when printed.

    Raises:
      ValueError: What the call would refuse: shapes that do not fit, data that are
        missing, an unknown probe. Of `Shapes` without `at` data may be missing.
    """
    spec = as_attention(spec)
    if isinstance(query, Shapes):
        shapes = query
    else:
        key = query if key is None else key
        shapes = check_heads(query, key, key if value is None else value, "explain")
    probes = check_probes("explain", probes, shapes)
    one, where = _of_one_head(spec, at, shapes)
    if at is not None or not isinstance(query, Shapes):
        check_sites(where, shapes.t, shapes.s, one, *map(probe, probes))
    shapes = shapes if at is None else placed(shapes, at)
    if platform not in (None, *PLATFORMS):
        raise ValueError(
            f"explain: `platform` must be one of {', '.join(PLATFORMS)}, "
            f"got {platform!r}."
        )
    platform = platform or jax.default_backend()
    reasons = {
        name: backend.supports(spec, shapes, platform, probes)
        for name, backend in BACKENDS.items()
    }
    runs = choose(spec, shapes, probes=probes, platform=platform)
    some = steps(runs, shapes, platform)
    at_once = shapes.batch * shapes.heads if some is None else math.prod(some)
    return Explanation(repr(spec), shapes, platform, runs, reasons, at_once)


def _of_one_head(spec: Attention, at: At | None, shapes: Shapes) -> tuple[Any, At]:
    """What one head of the call meets, once its arrays fit."""
    at = mark_batch("explain", at, shapes)
    check_varying("explain", (spec, at), shapes.batch, shapes.heads)
    one, where = of_one_head((spec.for_heads(1), at))  # alibi counts N slopes out
    one.check(shapes.t, shapes.s)
    return one, where or At()
