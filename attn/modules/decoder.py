"""The decoder: next tokens from earlier ones and, if it has one, from a source."""

import dataclasses
import math
from numbers import Real
from typing import Any

from flax import nnx
from jax import Array

from attn import functional
from attn.modules.attention import AttentionConfig, configured
from attn.modules.block import StackConfig, within_segments
from attn.modules.encoded import Encoded
from attn.modules.fields import as_piece
from attn.modules.stack import Stack
from attn.spec.attention import Attention, as_attention
from attn.spec.piece import Piece
from attn.spec.positions import POSITIONS
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderConfig(StackConfig):
    """Sizes and choices of a decoder: those of `StackConfig`, and its own.

    Attributes:
      mask: which keys a query may attend to.
      tie: whether the head reads the embedding table.
      softcap: bound of the final logits; None means none.
      cross: the attention of every block to an encoder's output; None means that the
        decoder is a language model and reads nothing else.
      cross_position: how positions turn queries and keys there: rotary(...) or none.
      source_width: width of the encoder's output; None means D.
    """

    mask: Piece | str = "causal"
    tie: bool = True
    softcap: float | None = None
    cross: Attention | Piece | str | None = None
    cross_position: Piece | str = "none"
    source_width: int | None = None

    def cross_attention(self) -> AttentionConfig | None:
        """The layer config of the attention to an encoder."""
        if self.cross is None:
            return None
        cross = as_piece("DecoderConfig: cross", as_attention(self.cross), Attention)
        return self.layer(
            spec=within_segments(cross),
            position=self.cross_position,
            context_width=self.source_width,
        )

    def additions(self) -> int:
        """Two or, with a source, three for each block."""
        return (2 if self.cross is None else 3) * self.layers


class Decoder(Stack):
    """A decoder-only language model, or the second half of a `Seq2Seq`.

        Decoder(vocabulary=256, context=64, rngs=nnx.Rngs(0))

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `DecoderConfig`, on top of `config`.
    """

    config: DecoderConfig

    def __init__(
        self, config: DecoderConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        config = configured(DecoderConfig, config, options)
        check_inert(config)
        check_softcap(config.softcap)
        super().__init__(config, rngs=rngs)
        self.head = None if config.tie else self.make_table(rngs)

    def __call__(
        self,
        tokens: Array,
        source: Encoded | None = None,
        *,
        at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """Scores the next token at every position.

        Args:
          tokens: [B, T] integers.
          source: what an encoder made, for a decoder with cross-attention.
          at: positions and segments; None means 0, 1, 2, ...
          rng: for dropout; None means evaluation, without dropout.

        Returns:
          logits [B, T, V], in the dtype of sums.

        Raises:
          ValueError: a source for a decoder that reads none, or none for one that does.
        """
        features = self.features(tokens, source=source, at=at, rng=rng)
        return self.score(features)

    def score(self, features: Array) -> Array:
        """Scores the next token from features [B, T, D]: [B, T, V].

        Features are what the last norm made of the residual stream. With those of an
        earlier block, `score(norm(x))`, this is the logit lens.

        Reference: nostalgebraist 2020, "Interpreting GPT: the logit lens"; Belrose et
          al. 2023, section 2, arXiv 2303.08112.
        """
        head = self.embedding if self.head is None else self.head
        return functional.softcap(head.attend(features), self.config.softcap)

    def flops(self, t: int, s: int = 0) -> int:
        """FLOPs of one text of T tokens, and a source of S, see `attn.spec.cost`."""
        head = self.embedding if self.head is None else self.head
        return self.stack_flops(t, s) + head.flops(t)


def check_softcap(cap: float | None) -> None:
    """Refuses a bound that logits cannot be divided by."""
    if cap is not None and not (isinstance(cap, Real) and 0 < cap < math.inf):
        raise ValueError(
            f"Decoder: softcap must be a positive number, got {cap!r}; leave it out "
            "for no bound."
        )


def check_inert(config: DecoderConfig) -> None:
    """Refuses choices of a cross-attention that is not there."""
    if config.cross is not None:
        return
    inert = {"cross_position": ("none", POSITIONS["none"]), "source_width": (None,)}
    for name, values in inert.items():
        if (got := getattr(config, name)) not in values:
            raise ValueError(
                f"Decoder: {name}={got!r} means nothing without cross-attention; "
                "say cross='everything' or leave it out."
            )
