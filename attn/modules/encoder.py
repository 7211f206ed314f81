"""The encoder: every token sees its whole text, and nothing sees padding."""

import dataclasses
from typing import Any

from flax import nnx
from jax import Array

from attn.modules.attention import configured
from attn.modules.block import StackConfig, within_segments
from attn.modules.encoded import Encoded, segmented
from attn.modules.stack import Stack
from attn.spec.attention import Attention
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig(StackConfig):
    """Sizes and choices of an encoder: those of `StackConfig`.

    Whatever the mask, tokens attend within their segment only.
    """

    def spec(self) -> Attention:
        """The attention of every block, kept within segments."""
        return within_segments(super().spec())


class Encoder(Stack):
    """Tokens to features that know of all their neighbours, on both sides.

        encoder = Encoder(vocabulary=256, context=64, rngs=nnx.Rngs(0))
        encoder(tokens, at=attn.at(segment=tokens != 0))    # 0 is padding here

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `EncoderConfig`, on top of `config`.

    Reference: Vaswani et al. 2017, section 3.1, arXiv 1706.03762; Devlin et al. 2018,
      section 3, arXiv 1810.04805 (alone).
    """

    def __init__(
        self, config: EncoderConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        super().__init__(configured(EncoderConfig, config, options), rngs=rngs)

    def __call__(
        self, tokens: Array, *, at: At | None = None, rng: Array | None = None
    ) -> Encoded:
        """Encodes a batch.

        Args:
          tokens: [B, S] integers.
          at: positions and segments; None means 0, 1, 2, ... and no padding. Padding
            is segment 0: no other token sees it.
          rng: for dropout; None means evaluation, without dropout.

        Returns:
          `Encoded`: value [B, S, D] and where it stands.
        """
        at = segmented(at, tokens)
        return Encoded(self.features(tokens, at=at, rng=rng), at)

    def flops(self, t: int) -> int:
        """FLOPs of one text of T tokens, see `attn.spec.cost`."""
        return self.stack_flops(t)
