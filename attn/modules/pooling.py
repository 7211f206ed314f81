"""From features of tokens to features of a text."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn import functional
from attn.modules.attention import MultiHeadAttention
from attn.modules.block import StackConfig
from attn.modules.layers import normal
from attn.spec.masks import MASKS
from attn.spec.site import at as standing


class AttentionPool(nnx.Module):
    """One learned query reads the features of all tokens.

    Args:
      config: the encoder's, which gives width, heads and precision.
      rngs: where the initial values are drawn from.

    Reference: Lee et al. 2018, section 3.3 (pooling by multi-head attention),
      arXiv 1810.00825.
    """

    def __init__(self, config: StackConfig, *, rngs: nnx.Rngs):
        self.query = normal(rngs, (1, config.width), 1.0, config.precision.parameters)
        layer = config.layer(spec=MASKS["segments"], position="none", output_scale=1.0)
        self.attention = MultiHeadAttention(layer, rngs=rngs)
        self.precision = config.precision

    def __call__(self, x: Array, present: Array, rng: Array | None = None) -> Array:
        """Features [B, T, D] of the tokens that are `present` [B, T] to [B, D]."""
        query = self.precision.cast(self.query)
        query = jnp.broadcast_to(query[None], (x.shape[0], *query.shape))
        where = standing(
            query={"segment": jnp.ones((1,), jnp.int32)},
            key={"segment": present.astype(jnp.int32)},
        )
        return self.attention(query, x, at=where, rng=rng)[:, 0]

    def flops(self, t: int) -> int:
        """FLOPs of one text of T tokens."""
        return self.attention.flops(1, t)


class Pool(nnx.Module):
    """A pooling that has nothing to learn."""

    def __init__(self, pool: Callable[[Array, Array], Array]):
        self.pool = pool

    def __call__(self, x: Array, present: Array, rng: Array | None = None) -> Array:
        """Features [B, T, D] of the tokens that are `present` [B, T] to [B, D]."""
        return self.pool(x, present)

    def flops(self, t: int) -> int:
        """None: sums without products."""
        return 0


POOLINGS: Mapping[str, Callable[..., Pool | AttentionPool]] = {
    "mean": lambda config, rngs: Pool(functional.mean_pool),
    "first": lambda config, rngs: Pool(functional.first_pool),
    "max": lambda config, rngs: Pool(functional.max_pool),
    "attention": AttentionPool,
}
