"""Embedding, positions, blocks and a norm: what encoders and decoders share."""

from functools import partial

from flax import nnx
from jax import Array

from attn import functional
from attn.heads import embed_positions
from attn.modules import layering
from attn.modules.block import Block, StackConfig, split
from attn.modules.convolution import check_places
from attn.modules.encoded import Encoded, across
from attn.modules.fields import check_sizes, check_spreads, static
from attn.modules.layers import NORMS, Embedding
from attn.modules.learned import Learned
from attn.spec.positions import Position
from attn.spec.site import At

SIZES = ("vocabulary", "context", "layers", "heads", "key_heads", "width")
SIZES = (*SIZES, "head_width", "hidden", "taps")


class Stack(nnx.Module):
    """Tokens to features; a base class, which has no call of its own.

    Args:
      config: sizes and choices.
      rngs: where the initial values are drawn from.

    Raises:
      ValueError: sizes that do not fit, or a name or notation that means nothing.
    """

    def __init__(self, config: StackConfig, *, rngs: nnx.Rngs):
        check_sizes(type(self).__name__, config, *SIZES)
        spreads = {"init_std": config.init_std, "output_scale": config.output_scale}
        check_spreads(type(self).__name__, **spreads)
        check_places(type(self).__name__, config.convolve, config.taps)
        if config.norm not in NORMS:
            raise ValueError(
                f"{type(self).__name__}: norm must be one of {', '.join(NORMS)}, "
                f"got {config.norm!r}."
            )
        self.config = static(config)
        self.embedding = self.make_table(rngs)
        self.position = Learned(
            config.piece("position", Position).sized(config.context, config.width),
            heads=config.heads,
            dtype=config.precision.parameters,
            rngs=rngs,
        )
        self.blocks = self.make_blocks(config, rngs)
        self.norm = config.make_norm()

    def make_blocks(self, config: StackConfig, rngs: nnx.Rngs) -> nnx.List | Block:
        """The blocks, or with `scan` one whose arrays have a first axis of layers."""
        if config.scan:
            return layering.draw(partial(Block, config), config.layers, rngs)
        return nnx.List([Block(config, rngs=rngs) for _ in range(config.layers)])

    def layers(self) -> list[Block]:
        """The blocks, each by itself."""
        if isinstance(self.blocks, Block):
            return layering.layers(self.blocks, self.config.layers)
        return list(self.blocks)

    def unroll(self) -> None:
        """Undoes `scan`, for who wants to see what a block does."""
        self.blocks = nnx.List(self.layers())

    def make_table(self, rngs: nnx.Rngs) -> Embedding:
        """A row of width D for each token, to embed with or to score by."""
        config = self.config
        std = 0.02 if config.init_std is None else config.init_std
        return Embedding(
            config.vocabulary,
            config.width,
            std=std,
            precision=config.precision,
            rngs=rngs,
        )

    def embed(self, tokens: Array, *, at: At | None = None) -> Array:
        """Token rows plus, where positions are added, position rows: [B, T, D]."""
        positions = None if at is None else at.query_pos
        return embed_positions(self.position.piece, self.embedding(tokens), positions)

    def features(
        self,
        tokens: Array,
        source: Encoded | None = None,
        *,
        at: At | None = None,
        rng: Array | None = None,
    ) -> Array:
        """What the blocks make of tokens.

        Args:
          tokens: [B, T] integers.
          source: what the cross-attention of the blocks reads from, if they have one.
          at: positions and segments.
          rng: for dropout.

        Returns:
          [B, T, D], after the last norm.
        """
        first, *rngs = split(rng, 1 + self.config.layers)
        x = functional.dropout(self.embed(tokens, at=at), self.config.dropout, first)
        compute = self.config.precision.compute
        read = None if source is None else source.value.astype(compute)
        read_at = None if source is None else across(at, tokens, source)
        call = nnx.remat(run) if self.config.remat else run

        def step(block: Block, x: Array, own: Array | None) -> Array:
            return call(block, x, read, at, read_at, own)

        if isinstance(self.blocks, Block):
            x = layering.run(self.blocks, step, x, layering.stack(rngs))
            return self.norm(x)
        for block, own in zip(self.blocks, rngs, strict=True):
            x = step(block, x, own)
        return self.norm(x)

    def stack_flops(self, t: int, s: int = 0) -> int:
        """FLOPs of the blocks for T tokens, and S of a source."""
        return sum(block.flops(t, s) for block in self.layers())

    def state_bytes(self, t: int, s: int = 0) -> int:
        """Bytes that decoding remembers after T tokens, from a source of S."""
        return sum(block.state_bytes(t, s) for block in self.layers())


def run(
    block: Block,
    x: Array,
    source: Array | None,
    at: At | None,
    source_at: At | None,
    rng: Array | None,
) -> Array:
    """A block with positional arguments, which is what remat can wrap."""
    return block(x, source, at=at, source_at=source_at, rng=rng)
