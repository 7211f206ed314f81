"""Multi-head attention as a module: maps to heads, `attend_heads`, and a map back."""

import dataclasses
from typing import Any, TypeVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from attn import functional
from attn.backends.dispatch import Output
from attn.heads import attend_heads, rotate_heads
from attn.modules.convolution import convolved, make_convolution
from attn.modules.fields import as_piece, check_sizes, check_spreads
from attn.modules.layers import Linear, RMSNorm
from attn.modules.learned import Learned
from attn.modules.precision import FLOAT32, Precision
from attn.modules.watch import Watchable
from attn.spec.attention import Attention, as_attention
from attn.spec.cost import attention_flops, remembered
from attn.spec.piece import Piece
from attn.spec.positions import Position
from attn.spec.site import At

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Sizes and choices of one attention layer.

    Attributes:
      width: D, of input and output.
      heads: N, query heads.
      key_heads: K, key and value heads; divides N. None means N (multi-head), 1 is
        multi-query attention, anything between is grouped-query attention.
      head_width: H, of query and key; None means D / N.
      value_width: E, of value; None means H.
      context_width: width of what keys and values are read from; None means D.
      spec: what to compute: an `Attention`, any piece, or notation.
      position: how positions turn queries and keys: a piece or notation.
      head_taps: W, tokens that a short convolution of queries, keys and values mixes;
        None means no convolution.
      query_key_norm: whether queries and keys are RMS-normalised per head.
      dropout: share of weights dropped while training.
      bias: whether the linear maps have biases.
      init_std: of the initial kernels; None means 1 / sqrt(inputs).
      output_scale: multiplies that of the map back; 0 starts the layer as nothing.
      precision: dtype policy.
      backend: how attention is computed; see `attn.explain`.
    """

    width: int
    heads: int
    key_heads: int | None = None
    head_width: int | None = None
    value_width: int | None = None
    context_width: int | None = None
    spec: Attention | Piece | str = "everything"
    position: Piece | str = "none"
    head_taps: int | None = None
    query_key_norm: bool = False
    dropout: float = 0.0
    bias: bool = False
    init_std: float | None = None
    output_scale: float = 1.0
    precision: Precision = FLOAT32
    backend: str = "auto"

    def sizes(self) -> tuple[int, int, int, int]:
        """(N, K, H, E) with defaults filled in.

        Raises:
          ValueError: A size is below 1, N does not divide D, or K does not divide N.
        """
        names = "width", "heads", "key_heads", "head_width", "value_width"
        check_sizes("MultiHeadAttention", self, *names, "context_width", "head_taps")
        spreads = {"init_std": self.init_std, "output_scale": self.output_scale}
        check_spreads("MultiHeadAttention", **spreads)
        heads, key_heads = self.heads, self.key_heads or self.heads
        if self.head_width is None and self.width % heads:
            raise ValueError(
                f"MultiHeadAttention: heads must divide width, got heads={heads}, "
                f"width={self.width}; change one or say head_width=."
            )
        if heads % key_heads:
            raise ValueError(
                f"MultiHeadAttention: key_heads must divide heads, got "
                f"key_heads={key_heads}, heads={heads}."
            )
        head_width = self.head_width or self.width // heads
        return heads, key_heads, head_width, self.value_width or head_width


class MultiHeadAttention(Watchable):
    """Self- or cross-attention, multi-head, grouped or multi-query by its sizes.

        MultiHeadAttention(width=64, heads=4, spec="causal", rngs=nnx.Rngs(0))

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `AttentionConfig`, on top of `config`.

    Raises:
      ValueError: sizes that do not fit, or notation that does not parse.

    Reference: Vaswani et al. 2017, section 3.2, arXiv 1706.03762; grouped queries:
      Ainslie et al. 2023, arXiv 2305.13245.
    """

    def __init__(
        self, config: AttentionConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        config = configured(AttentionConfig, config, options)
        heads, key_heads, head_width, value_width = config.sizes()
        context = config.context_width
        context = config.width if context is None else context
        shared = {"bias": config.bias, "precision": config.precision, "rngs": rngs}
        shared["std"] = config.init_std
        self.query = Linear(config.width, heads * head_width, **shared)
        self.key = Linear(context, key_heads * head_width, **shared)
        self.value = Linear(context, key_heads * value_width, **shared)
        self.output = Linear(
            heads * value_width, config.width, scale=config.output_scale, **shared
        )
        mix = lambda width: make_convolution(  # noqa: E731
            width, config.head_taps, config.precision
        )
        self.query_mix = mix(heads * head_width)
        self.key_mix = mix(key_heads * head_width)
        self.value_mix = mix(key_heads * value_width)
        norm = lambda: RMSNorm(head_width, precision=config.precision)  # noqa: E731
        self.query_norm = norm() if config.query_key_norm else None
        self.key_norm = norm() if config.query_key_norm else None
        dtype = config.precision.parameters
        learned = {"heads": heads, "dtype": dtype, "rngs": rngs}
        self.spec = Learned(with_dropout(config), **learned)
        self.position = Learned(turning(config.position), **learned)
        self.heads, self.key_heads, self.backend = heads, key_heads, config.backend

    def project(
        self, x: Array, context: Array | None = None, *, at: At | None = None
    ) -> tuple[Array, Array, Array]:
        """Maps to heads, mixes neighbours, normalises and rotates.

        Args:
          x: [B, T, D], what asks.
          context: [B, S, D'], what is asked; None means `x`.
          at: positions; None means 0, 1, 2, ... on both sides.

        Returns:
          query [B, T, N, H], key [B, S, K, H], value [B, S, K, E].
        """
        context = x if context is None else context
        asking, asked = (None, None) if at is None else (at.query, at.key)
        query = convolved(self.query_mix, self.query(x), asking)
        key = convolved(self.key_mix, self.key(context), asked)
        value = convolved(self.value_mix, self.value(context), asked)
        query = functional.split_heads(query, self.heads)
        key = functional.split_heads(key, self.key_heads)
        value = functional.split_heads(value, self.key_heads)
        if self.query_norm is not None and self.key_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        query_pos = None if at is None else at.query_pos
        key_pos = None if at is None else at.key_pos
        position = self.position.piece
        query = rotate_heads(position, query, query_pos)
        key = rotate_heads(position, key, key_pos)
        return query, key, value

    def attend(
        self,
        x: Array,
        context: Array | None = None,
        *,
        at: At | None = None,
        rng: Array | None = None,
        probes: tuple[str, ...] = (),
    ) -> Output:
        """Attention before the map back: values [B, T, N, E] and probes."""
        query, key, value = self.project(x, context, at=at)
        return attend_heads(
            self.spec.piece,
            query,
            key,
            value,
            at=at,
            rng=rng,
            probes=probes,
            backend="dense" if self.watched else self.backend,
        )

    def __call__(
        self,
        x: Array,
        context: Array | None = None,
        *,
        at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """Lets every token of `x` read from `context`.

        Args:
          x: [B, T, D].
          context: [B, S, D'] for cross-attention; None means `x`.
          at: positions, segments and other per-token data.
          rng: for dropout; None means no dropout.

        Returns:
          [B, T, D].
        """
        probes = ("weights",) if self.watched else ()
        output = self.attend(x, context, at=at, rng=rng, probes=probes)
        self.show(**output.aux)
        return self.output(functional.merge_heads(output.value))

    def flops(self, t: int, s: int) -> int:
        """FLOPs of T queries and S keys, see `attn.spec.cost`; linear maps included."""
        maps = self.query.flops(t) + self.output.flops(t)
        maps += self.key.flops(s) + self.value.flops(s)
        if self.query_mix and self.key_mix and self.value_mix:
            maps += self.query_mix.flops(t)
            maps += self.key_mix.flops(s) + self.value_mix.flops(s)
        return maps + attention_flops(
            self.spec.piece,
            t,
            s,
            heads=self.heads,
            width=self.key.kernel.shape[-1] // self.key_heads,
            value_width=self.value.kernel.shape[-1] // self.key_heads,
        )

    def key_bytes(self, s: int) -> int:
        """Bytes of the keys and values of S tokens."""
        widths = self.key.kernel.shape[-1] + self.value.kernel.shape[-1]
        return s * widths * jnp.dtype(self.key.precision.compute).itemsize

    def state_bytes(self, t: int) -> int:
        """Bytes that decoding remembers after T tokens: what later queries may see."""
        found = self.key_bytes(remembered(self.spec.piece.mask, t))
        mixes = self.query_mix, self.key_mix, self.value_mix
        return found + sum(mix.state_bytes(t) for mix in mixes if mix is not None)


def turning(position: Piece | str) -> Position:
    """The position of a layer, which turns queries and keys or does nothing."""
    position = as_piece("MultiHeadAttention: position", position, Position)
    if position.embeds:
        raise ValueError(
            f"MultiHeadAttention: position must be rotary(...) or none, got "
            f"{position!r}; what is added to embeddings belongs to the model."
        )
    return position


def with_dropout(config: AttentionConfig) -> Attention:
    """The layer's spec, its dropout taken from the config where that names one."""
    spec = as_attention(config.spec)
    if config.dropout == 0.0:
        return spec
    return dataclasses.replace(spec, dropout=spec.dropout(config.dropout))


def configured(kind: type[Config], config: Config | None, options: dict) -> Config:
    """A config from keywords alone, or a given one with keywords on top."""
    if config is None:
        return kind(**options)
    return dataclasses.replace(config, **options)  # pyright: ignore[reportArgumentType]
