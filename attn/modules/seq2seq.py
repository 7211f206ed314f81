"""Sequence to sequence: an encoder, and a decoder that reads what it made."""

import dataclasses
from typing import Any

from flax import nnx
from jax import Array

from attn.modules.attention import configured
from attn.modules.block import split
from attn.modules.decoder import Decoder, DecoderConfig
from attn.modules.encoded import Encoded
from attn.modules.encoder import Encoder, EncoderConfig
from attn.modules.fields import static
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """The two halves.

    Attributes:
      encoder: of the source.
      decoder: of the target; its `cross` says how it reads the source, None means
        everything, and its `source_width` is the encoder's width.
    """

    encoder: EncoderConfig
    decoder: DecoderConfig

    def reading(self) -> DecoderConfig:
        """The decoder's config with what follows from the encoder's filled in.

        Raises:
          ValueError: it names another width than the encoder has.
        """
        width = self.encoder.width
        if self.decoder.source_width not in (None, width):
            raise ValueError(
                f"Seq2Seq: decoder.source_width must be the encoder's width {width}, "
                f"got {self.decoder.source_width}; leave it out."
            )
        cross = "everything" if self.decoder.cross is None else self.decoder.cross
        return dataclasses.replace(self.decoder, cross=cross, source_width=width)


class Seq2Seq(nnx.Module):
    """The transformer as it was first described: from one sequence to another.

        encoder = EncoderConfig(vocabulary=61, context=32)
        decoder = DecoderConfig(vocabulary=61, context=12)
        model = Seq2Seq(encoder=encoder, decoder=decoder, rngs=nnx.Rngs(0))
        logits = model(source, target)

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `Seq2SeqConfig`, on top of `config`.

    Reference: Vaswani et al. 2017, section 3, arXiv 1706.03762.
    """

    def __init__(
        self, config: Seq2SeqConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        config = configured(Seq2SeqConfig, config, options)
        halves = static(config.encoder), static(config.decoder)
        self.config = Seq2SeqConfig(encoder=halves[0], decoder=halves[1])
        self.encoder = Encoder(config.encoder, rngs=rngs)
        self.decoder = Decoder(config.reading(), rngs=rngs)

    def encode(
        self, source: Array, *, at: At | None = None, rng: Array | None = None
    ) -> Encoded:
        """Reads a source [B, S]; once, however many tokens are decoded."""
        return self.encoder(source, at=at, rng=rng)

    def decode(
        self,
        tokens: Array,
        source: Encoded,
        *,
        at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """Scores the next token at every position of a target [B, T]: [B, T, V]."""
        return self.decoder(tokens, source=source, at=at, rng=rng)

    def __call__(
        self,
        source: Array,
        tokens: Array,
        *,
        source_at: At | None = None,
        at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """Scores every next token of a target that is known: teacher forcing.

        Args:
          source: [B, S] integers.
          tokens: [B, T] integers, the target moved on by one.
          source_at: positions and segments of the source; padding is segment 0.
          at: those of the target; None means 0, 1, 2, ... and segment 1.
          rng: for dropout; None means evaluation, without dropout.

        Returns:
          logits [B, T, V], in the dtype of sums.
        """
        encoder_rng, decoder_rng = split(rng, 2)
        encoded = self.encode(source, at=source_at, rng=encoder_rng)
        return self.decode(tokens, source=encoded, at=at, rng=decoder_rng)

    def flops(self, t: int, s: int) -> int:
        """FLOPs of a target of T tokens and a source of S, see `attn.spec.cost`."""
        return self.encoder.flops(s) + self.decoder.flops(t, s)

    def state_bytes(self, t: int, s: int) -> int:
        """Bytes that decoding remembers after T tokens, from a source of S."""
        return self.decoder.state_bytes(t, s)
