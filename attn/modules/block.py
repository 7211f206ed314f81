"""The transformer block, alone or reading from an encoder, and its choices."""

import dataclasses

import jax
from flax import nnx
from jax import Array

from attn import functional
from attn.modules.attention import AttentionConfig, MultiHeadAttention
from attn.modules.convolution import (
    TAPS,
    ShortConvolution,
    convolved,
    make_convolution,
)
from attn.modules.fields import Kind, as_piece
from attn.modules.layers import NORMS
from attn.modules.mlp import MLP
from attn.modules.precision import FLOAT32, Precision
from attn.modules.watch import Watchable
from attn.spec.attention import KINDS, Attention
from attn.spec.masks import MASKS
from attn.spec.piece import Piece
from attn.spec.positions import Position
from attn.spec.site import At


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackConfig:
    """Sizes and choices that encoders and decoders share.

    A field that is a `Piece | str` takes a piece or its notation.

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
      convolve: where a short convolution mixes neighbours, of `convolution.PLACES`.
      taps: W, tokens that each mixes, itself among them; None means 4.
      query_key_norm: whether queries and keys are RMS-normalised per head.
      dropout: share dropped of embeddings, weights and what blocks add.
      init_std: of initial kernels and embedding; None means 1 / sqrt(inputs) and 0.02.
      output_scale: multiplies that of the maps back into the residual stream; None
        means 1 / sqrt(additions), 2 or 3 a block, so that its size does not grow with
        depth (Radford et al. 2019, section 2.3).
      precision: dtype policy.
      backend: how attention is computed.
      remat: whether blocks are recomputed in the backward pass, to save memory.
      scan: whether the blocks are one loop, which compiles in the time of one block
        and takes longer to run on a CPU.
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
    position: Piece | str = "rotary"
    similarity: Piece | str = "dot"
    logits: Piece | str = "identity"
    mask: Piece | str = "everything"
    normalizer: Piece | str = "softmax"
    convolve: tuple[str, ...] = ()
    taps: int | None = None
    query_key_norm: bool = False
    dropout: float = 0.0
    init_std: float | None = 0.02
    output_scale: float | None = None
    precision: Precision = FLOAT32
    backend: str = "auto"
    remat: bool = False
    scan: bool = False

    def spec(self) -> Attention:
        """The self-attention of every block."""
        slots = ("similarity", "logits", "mask", "normalizer")
        return Attention(**{slot: self.piece(slot, KINDS[slot]) for slot in slots})

    def piece(self, name: str, kind: type[Kind]) -> Kind:
        """The piece that a field holds or writes.

        Raises:
          ValueError: it is of another kind, or no notation.
        """
        return as_piece(f"{type(self).__name__}: {name}", getattr(self, name), kind)

    def attention(self) -> AttentionConfig:
        """The layer config that every block's self-attention is made of."""
        # A position that is added to embeddings has done its work before the blocks.
        position = self.piece("position", Position)
        turning = position if position.rotates else "none"
        taps = self.taps_at("heads")
        return self.layer(spec=self.spec(), position=turning, head_taps=taps)

    def cross_attention(self) -> AttentionConfig | None:
        """That of every block's attention to an encoder; None means there is none."""
        return None

    def layer(self, **options: object) -> AttentionConfig:
        """A layer config with this config's sizes and the given options."""
        names = {f.name for f in dataclasses.fields(AttentionConfig)}
        shared = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name in names
        }
        return AttentionConfig(
            **{**shared, "output_scale": self.residual_scale(), **options}
        )

    def additions(self) -> int:
        """How often the blocks add to the residual stream."""
        return 2 * self.layers

    def residual_scale(self) -> float:
        """`output_scale` with its default filled in."""
        if self.output_scale is None:
            return self.additions() ** -0.5
        return self.output_scale

    def taps_at(self, place: str) -> int | None:
        """How many tokens are mixed at a place of the block; None means no mixing."""
        if place not in self.convolve:
            return None
        return TAPS if self.taps is None else self.taps

    def make_norm(self) -> nnx.Module:
        """A norm of the residual stream."""
        return NORMS[self.norm](
            self.width, bias=self.norm_bias, precision=self.precision
        )


def within_segments(spec: Attention) -> Attention:
    """The spec kept to pairs of one segment, so that nothing reads padding."""
    return dataclasses.replace(spec, mask=spec.mask & MASKS["segments"])


class Block(Watchable):
    """Pre-norm block: x + attention(norm(x)), x + cross(norm(x)), x + mlp(norm(x)).

    The middle one, in a decoder that reads from an encoder.

    Reference: Xiong et al. 2020, figure 1b, arXiv 2002.04745; Vaswani et al. 2017,
      figure 1, arXiv 1706.03762 (the three parts).
    """

    def __init__(self, config: StackConfig, *, rngs: nnx.Rngs):
        cross = config.cross_attention()
        self.attention_norm, self.mlp_norm = config.make_norm(), config.make_norm()
        self.attention = MultiHeadAttention(config.attention(), rngs=rngs)
        self.mlp = MLP(
            config.width,
            4 * config.width if config.hidden is None else config.hidden,
            activation=config.activation,
            std=config.init_std,
            output_scale=config.residual_scale(),
            bias=config.bias,
            taps=config.taps_at("hidden"),
            precision=config.precision,
            rngs=rngs,
        )
        self.attention_mix, self.mlp_mix = (
            make_convolution(config.width, config.taps_at(place), config.precision)
            for place in ("attention", "mlp")
        )
        self.cross_norm = None if cross is None else config.make_norm()
        self.cross = None if cross is None else MultiHeadAttention(cross, rngs=rngs)
        self.dropout = config.dropout

    def __call__(
        self,
        x: Array,
        source: Array | None = None,
        *,
        at: At | None = None,
        source_at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """Maps the residual stream to itself.

        Args:
          x: [B, T, D].
          source: [B, S, D'], what the cross-attention reads from; None without one.
          at: where x stands.
          source_at: where x and the source stand, for the cross-attention.
          rng: for dropout.

        Returns:
          [B, T, D].

        Raises:
          ValueError: a source for a block that reads none, or none for one that does.
        """
        check_source(source, reads=self.cross is not None)
        rngs = split(rng, 3 if self.cross is None else 5)
        self.show(before=x)
        data = None if at is None else at.query
        read = convolved(self.attention_mix, self.attention_norm(x), data)
        update = self.attention(read, at=at, rng=rngs[0])
        x = x + functional.dropout(update, self.dropout, rngs[1])
        if self.cross is not None and self.cross_norm is not None:
            query = self.cross_norm(x)
            update = self.cross(query, source, at=source_at, rng=rngs[3])
            x = x + functional.dropout(update, self.dropout, rngs[4])
        update = self.mlp(convolved(self.mlp_mix, self.mlp_norm(x), data), at=at)
        x = x + functional.dropout(update, self.dropout, rngs[2])
        self.show(after=x)
        return x

    def mixes(self) -> list[ShortConvolution]:
        """The short convolutions before its halves."""
        each = self.attention_mix, self.mlp_mix
        return [mix for mix in each if mix is not None]

    def flops(self, t: int, s: int = 0) -> int:
        """FLOPs of T tokens, and S of a source that a cross-attention reads."""
        found = self.attention.flops(t, t) + self.mlp.flops(t)
        found += sum(mix.flops(t) for mix in self.mixes())
        return found if self.cross is None else found + self.cross.flops(t, s)

    def state_bytes(self, t: int, s: int = 0) -> int:
        """Bytes that decoding remembers after T tokens, from a source of S."""
        found = self.attention.state_bytes(t) + self.mlp.state_bytes(t)
        found += sum(mix.state_bytes(t) for mix in self.mixes())
        return found if self.cross is None else found + self.cross.key_bytes(s)


def check_source(source: Array | None, *, reads: bool) -> None:
    """Refuses a source that nothing reads, and a cross-attention without one."""
    if reads and source is None:
        raise ValueError(
            "Block: got no source for its cross-attention; give source=, or make it "
            "with cross=None."
        )
    if source is not None and not reads:
        raise ValueError(
            f"Block: got a source {list(source.shape)} and has no cross-attention; "
            "leave it out, or make it with cross='everything'."
        )


def split(rng: Array | None, count: int) -> list[Array | None]:
    """Independent streams of randomness, or as many Nones."""
    return [None] * count if rng is None else list(jax.random.split(rng, count))
