"""The decoder language model: embedding, blocks, norm, head."""

import dataclasses
from typing import Any

import jax
from flax import nnx
from jax import Array

from attn import functional
from attn.heads import embed_positions
from attn.modules.attention import (
    AttentionConfig,
    Learned,
    MultiHeadAttention,
    configured,
)
from attn.modules.layers import NORMS, Embedding
from attn.modules.mlp import MLP
from attn.modules.precision import FLOAT32, Precision
from attn.spec.attention import Attention, as_attention
from attn.spec.notation import parse
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Sizes and choices of a decoder; strings are notation.

    Attributes:
      vocabulary: V, number of tokens.
      context: T, most tokens that the model is meant to see at once.
      layers: L, number of blocks.
      heads: N, query heads.
      key_heads: K, key and value heads; None means N.
      width: D, of the residual stream.
      head_width: H; None means D / N.
      hidden: F, inside the MLP; None means 4 D.
      activation: a name of `functional.ACTIVATIONS` or `functional.GATES`.
      norm: "rms" or "layer".
      norm_bias: whether the norms have biases ("layer" only).
      bias: whether the linear maps have biases.
      position: sinusoidal, learned, rotary(...) or none.
      similarity: how a query and a key are compared.
      logits: what happens to logits before the normalizer.
      mask: which keys a query may attend to.
      normalizer: logits to weights.
      query_key_norm: whether queries and keys are RMS-normalised per head.
      dropout: share dropped of embeddings, weights and what blocks add.
      tie: whether the head reads the embedding table.
      softcap: bound of the final logits; None means none.
      init_std: of initial kernels and embedding; None means 1 / sqrt(inputs) and 0.02.
      output_scale: multiplies that of the maps back into the residual stream; None
        means 1 / sqrt(2 L), so that its size does not grow with depth (Radford et al.
        2019, section 2.3).
      precision: dtype policy.
      backend: how attention is computed.
      remat: whether blocks are recomputed in the backward pass, to save memory.
    """

    vocabulary: int
    context: int
    layers: int = 4
    heads: int = 4
    key_heads: int | None = None
    width: int = 128
    head_width: int | None = None
    hidden: int | None = None
    activation: str = "gelu"
    norm: str = "rms"
    norm_bias: bool = False
    bias: bool = False
    position: str = "rotary"
    similarity: str = "dot"
    logits: str = "identity"
    mask: str = "causal"
    normalizer: str = "softmax"
    query_key_norm: bool = False
    dropout: float = 0.0
    tie: bool = True
    softcap: float | None = None
    init_std: float | None = 0.02
    output_scale: float | None = None
    precision: Precision = FLOAT32
    backend: str = "auto"
    remat: bool = False

    def spec(self) -> Attention:
        """The attention of every block."""
        return as_attention(
            Attention(
                similarity=parse(self.similarity),
                logits=parse(self.logits),
                mask=parse(self.mask),
                normalizer=parse(self.normalizer),
            )
        )

    def attention(self) -> AttentionConfig:
        """The layer config that every block's attention is made of."""
        names = {f.name for f in dataclasses.fields(AttentionConfig)}
        shared = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name in names and f.name not in ("spec", "output_scale")
        }
        # A position that is added to embeddings has done its work before the blocks.
        position = parse(self.position)
        shared["position"] = position if position.rotates else "none"
        return AttentionConfig(
            **shared, spec=self.spec(), output_scale=self.residual_scale()
        )

    def residual_scale(self) -> float:
        """`output_scale` with its default filled in."""
        if self.output_scale is None:
            return (2 * self.layers) ** -0.5
        return self.output_scale


class Block(nnx.Module):
    """Pre-norm block: x + attention(norm(x)), then x + mlp(norm(x)).

    Reference: Xiong et al. 2020, figure 1b, arXiv 2002.04745.
    """

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        precision = config.precision
        norm = lambda: NORMS[config.norm](  # noqa: E731
            config.width, bias=config.norm_bias, precision=precision
        )
        self.attention_norm, self.mlp_norm = norm(), norm()
        self.attention = MultiHeadAttention(config.attention(), rngs=rngs)
        self.mlp = MLP(
            config.width,
            config.hidden or 4 * config.width,
            activation=config.activation,
            std=config.init_std,
            output_scale=config.residual_scale(),
            bias=config.bias,
            precision=precision,
            rngs=rngs,
        )
        self.dropout = config.dropout

    def __call__(
        self, x: Array, *, at: At | None = None, rng: Array | None = None
    ) -> Array:
        """Maps the residual stream [B, T, D] to itself."""
        weights_rng, attention_rng, mlp_rng = split(rng, 3)
        update = self.attention(self.attention_norm(x), at=at, rng=weights_rng)
        x = x + functional.dropout(update, self.dropout, attention_rng)
        update = self.mlp(self.mlp_norm(x))
        return x + functional.dropout(update, self.dropout, mlp_rng)


class Decoder(nnx.Module):
    """A decoder-only language model.

        Decoder(vocabulary=256, context=64, rngs=nnx.Rngs(0))

    Args:
      config: sizes and choices; or give its fields as keywords.
      rngs: where the initial values are drawn from.
      **options: fields of `DecoderConfig`, on top of `config`.
    """

    def __init__(
        self, config: DecoderConfig | None = None, *, rngs: nnx.Rngs, **options: Any
    ):
        config = configured(DecoderConfig, config, options)
        if config.norm not in NORMS:
            raise ValueError(
                f"Decoder: norm must be one of {', '.join(NORMS)}, got {config.norm!r}."
            )
        precision, width = config.precision, config.width
        std = 0.02 if config.init_std is None else config.init_std
        self.embedding = Embedding(
            config.vocabulary, width, std=std, precision=precision, rngs=rngs
        )
        self.position = Learned(
            parse(config.position).sized(config.context, width),
            heads=config.heads,
            dtype=precision.parameters,
            rngs=rngs,
        )
        self.blocks = nnx.List([Block(config, rngs=rngs) for _ in range(config.layers)])
        self.norm = NORMS[config.norm](
            width, bias=config.norm_bias, precision=precision
        )
        self.head = (
            None
            if config.tie
            else Embedding(
                config.vocabulary, width, std=std, precision=precision, rngs=rngs
            )
        )
        self.config = config

    def embed(self, tokens: Array, *, at: At | None = None) -> Array:
        """Token rows plus, where positions are added, position rows: [B, T, D]."""
        positions = None if at is None else at.query_pos
        x = self.embedding(tokens)
        return embed_positions(self.position(), x, positions)

    def __call__(
        self, tokens: Array, *, at: At | None = None, rng: Array | None = None
    ) -> Array:
        """Scores the next token at every position.

        Args:
          tokens: [B, T] integers.
          at: positions and segments; None means 0, 1, 2, ...
          rng: for dropout; None means evaluation, without dropout.

        Returns:
          logits [B, T, V], in the dtype of sums.
        """
        rngs = split(rng, 1 + len(self.blocks))
        x = self.embed(tokens, at=at)
        x = functional.dropout(x, self.config.dropout, rngs[0])
        for block, block_rng in zip(self.blocks, rngs[1:], strict=True):
            call = nnx.remat(run) if self.config.remat else run
            x = call(block, x, at, block_rng)
        head = self.embedding if self.head is None else self.head
        return functional.softcap(head.attend(self.norm(x)), self.config.softcap)


def run(block: Block, x: Array, at: At | None, rng: Array | None) -> Array:
    """A block with positional arguments, which is what remat can wrap."""
    return block(x, at=at, rng=rng)


def split(rng: Array | None, count: int) -> list[Array | None]:
    """Independent streams of randomness, or as many Nones."""
    return [None] * count if rng is None else list(jax.random.split(rng, count))
