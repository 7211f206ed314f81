"""Dropout whose draw depends on (rng, query position, key position) only."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from attn.numerics import mix
from attn.spec.piece import Piece, piece


@piece("dropout", "dropout")
class Dropout(Piece):
    """Drops weights at random, after the normalizer.

    weights * keep / (1 - rate), keep drawn by a counter on (rng, query_pos, key_pos):
    the same draw whatever the tiling, the backend or the length.

    Reference:
      Srivastava et al. 2014, section 4, JMLR 15; the counter: Salmon et al. 2011,
      doi 10.1145/2063384.2063405.
    """

    rate: float = 0.0
    reference: ClassVar[str] = "Srivastava et al. 2014, section 4, JMLR 15"

    def validate(self):
        good = isinstance(self.rate, (int, float)) and not isinstance(self.rate, bool)
        if not good or not 0 <= self.rate < 1:
            raise ValueError(
                f"dropout: `rate` must be at least 0 and below 1, got {self.rate!r}."
            )

    def keep(self, rng: jax.Array, query_pos: jax.Array, key_pos: jax.Array):
        """Booleans [T, S]: which weights stay.

        Args:
          rng: A key of `jax.random`, typed or raw.
          query_pos: [T, 1] int32.
          key_pos: [1, S] int32.
        """
        words = jnp.ravel(_words(rng)).astype(jnp.uint32)
        row = query_pos.astype(jnp.uint32)
        for word in words:  # two words for threefry: the row is hashed once per word
            row = mix(row + word)
        # The products with an odd number keep neighbouring keys far apart.
        bits = mix(mix(row + key_pos.astype(jnp.uint32) * jnp.uint32(0x9E3779B1)))
        return (bits >> 8) >= jnp.uint32(round(self.rate * (1 << 24)))

    def apply(self, weights: jax.Array, rng: jax.Array | None, site) -> jax.Array:
        """Weights [T, S] with some of them dropped; rng None drops none."""
        if rng is None or self.rate == 0:
            return weights
        keep = self.keep(rng, site.query_pos, site.key_pos)
        scale = jnp.asarray(1.0 / (1.0 - self.rate), weights.dtype)
        return jnp.where(keep, weights * scale, jnp.zeros((), weights.dtype))


def check_rng(who: str, rng: Any) -> None:
    """Refuses what is neither None nor one key of `jax.random`, typed or raw."""
    if rng is None:
        return
    dtype = getattr(rng, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        good = rng.ndim == 0
    else:
        good = dtype == jnp.uint32 and rng.ndim == 1
    if not good:
        got = repr(rng) if dtype is None else f"{dtype}{list(rng.shape)}"
        raise ValueError(
            f"{who}: `rng` must be one key, for example jax.random.key(0), got {got}."
        )


def _words(rng: jax.Array) -> jax.Array:
    check_rng("attend", rng)
    if jnp.issubdtype(rng.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(rng)
    return rng
