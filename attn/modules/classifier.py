"""The classifier: an encoder, a pooling, a row for each class to score by."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn.modules.attention import configured
from attn.modules.block import split
from attn.modules.encoder import Encoder, EncoderConfig
from attn.modules.fields import check_sizes, static
from attn.modules.layers import Embedding
from attn.modules.pooling import POOLINGS
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig(EncoderConfig):
    """Sizes and choices of a classifier: those of `EncoderConfig`, and its own.

    Attributes:
      classes: C, how many there are to choose from.
      pooling: how the features of tokens become one: a name of `POOLINGS`.
    """

    classes: int
    pooling: str = "mean"


class Classifier(nnx.Module):
    """Says what a text is.

        Classifier(vocabulary=256, context=64, classes=3, rngs=nnx.Rngs(0))

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `ClassifierConfig`, on top of `config`.

    Raises:
      ValueError: no such pooling, or what an encoder refuses.
    """

    def __init__(
        self, config: ClassifierConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        config = configured(ClassifierConfig, config, options)
        if config.pooling not in POOLINGS:
            raise ValueError(
                f"Classifier: pooling must be one of {', '.join(POOLINGS)}, "
                f"got {config.pooling!r}."
            )
        check_sizes("Classifier", config, "classes")
        self.config = static(config)
        self.encoder = Encoder(config, rngs=rngs)
        self.pool = POOLINGS[config.pooling](config, rngs=rngs)
        std = 0.02 if config.init_std is None else config.init_std
        self.head = Embedding(
            config.classes,
            config.width,
            std=std,
            precision=config.precision,
            rngs=rngs,
        )

    def __call__(
        self, tokens: Array, *, at: At | None = None, rng: Array | None = None
    ) -> Array:
        """Scores every class.

        Args:
          tokens: [B, T] integers.
          at: positions and segments; padding is segment 0 and has no influence.
          rng: for dropout; None means evaluation, without dropout.

        Returns:
          logits [B, C], in the dtype of sums.
        """
        encoder_rng, pool_rng = split(rng, 2)
        encoded = self.encoder(tokens, at=at, rng=encoder_rng)
        present = encoded.at.key["segment"] != 0
        present = jnp.broadcast_to(present, tokens.shape)
        return self.head.attend(self.pool(encoded.value, present, rng=pool_rng))

    def flops(self, t: int) -> int:
        """FLOPs of one text of T tokens, see `attn.spec.cost`."""
        return self.encoder.flops(t) + self.pool.flops(t) + self.head.flops(1)
