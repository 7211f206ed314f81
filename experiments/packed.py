"""How a model keeps the documents of a window apart: where their tokens stand.

A mask with `segments` asks for it. Convolutions then keep them apart, too.
"""

import jax
import jax.numpy as jnp
from jax import Array

from attn.modules import Decoder
from attn.spec.attention import Attention
from attn.spec.mask import And, Mask, Or
from attn.spec.masks import Causal, Dilated, Segments, Window
from attn.spec.relative import T5, Alibi
from attn.spec.site import At, at
from experiments.tasks.task import Batch, Packed

# What compares two positions by their distance, which is the same from any start.
RELATIVE = (Causal, Window, Dilated, Alibi, T5)


def stand(model: Decoder, batch: Batch) -> At | None:
    """Where the tokens of a batch stand, for a model whose mask reads segments.

    What comes without segments, as a prompt does, is one document. Positions begin
    again with each document where that matters and a mask keeps documents wholly
    apart; if it does not, a key of a later document could pass for an earlier one.

    Returns:
      None for a model that reads no segments.
    """
    spec = model.config.spec()
    if "segment" not in spec.needs_data():
        return None
    if not isinstance(batch, Packed):
        return at(segment=jnp.zeros_like(batch.tokens))
    if counts(model, spec) and is_apart(spec.mask):
        return at(positions=restarted(batch.segment), segment=batch.segment)
    # Positions that nobody gives are known to planners, who then skip what is later.
    return at(segment=batch.segment)


def counts(model: Decoder, spec: Attention) -> bool:
    """Whether it matters where a document begins to be counted."""
    known = (each for each in spec.walk() if each.positional)
    return model.position.piece.embeds or any(
        not isinstance(each, RELATIVE) for each in known
    )


def is_apart(mask: Mask) -> bool:
    """Whether a mask is sure to hide every other document."""
    if isinstance(mask, And):
        return is_apart(mask.left) or is_apart(mask.right)
    if isinstance(mask, Or):
        return is_apart(mask.left) and is_apart(mask.right)
    return isinstance(mask, Segments)


def restarted(segment: Array) -> Array:
    """Positions [B, T] int32 that begin at 0 with each segment [B, T]."""
    places = jnp.broadcast_to(jnp.arange(segment.shape[1]), segment.shape)
    begins = jnp.diff(segment, axis=1, prepend=-1) != 0
    return places - jax.lax.cummax(jnp.where(begins, places, 0), axis=1)
