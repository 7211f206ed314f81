"""What an encoder hands to a decoder, and where both sides of it stand."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array

from attn.batches import of_all_heads
from attn.spec.field import ByValue
from attn.spec.site import At

REAL = 1  # the segment of a token where nobody says; padding is segment 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Encoded(ByValue):
    """An encoder's output: made once, read by every block and every decoding step.

    Args:
      value: [B, S, D].
      at: segments of the S tokens, 0 where there is padding, and their positions.
    """

    value: Array
    at: At


def segmented(at: At | None, tokens: Array) -> At:
    """The `at` of a self-attention with a segment for each token, an array.

    Args:
      at: as the caller gave it; tokens without a segment get `REAL`.
      tokens: [B, T].

    Raises:
      ValueError: segments that differ from head to head.
    """
    at = At() if at is None else at
    real = {"segment": jnp.full(tokens.shape, REAL, jnp.int32)}
    query, key = (
        side | {"segment": of_all_heads("encoder", "segment", side["segment"])}
        for side in (real | at.query, real | at.key)
    )
    return dataclasses.replace(at, query=query, key=key)


def across(at: At | None, tokens: Array, source: Encoded) -> At:
    """The `at` of a cross-attention: queries stand in the target, keys in the source.

    Args:
      at: of the target's self-attention.
      tokens: [B, T], the target.
      source: what is read from.
    """
    target = segmented(at, tokens)
    counted = lambda length: jnp.arange(length, dtype=jnp.int32)  # noqa: E731
    query_pos, key_pos = target.query_pos, source.at.key_pos
    if query_pos is None:
        query_pos = counted(tokens.shape[1])
    if key_pos is None:
        key_pos = counted(source.value.shape[1])
    return At(query_pos, key_pos, target.query, source.at.key)
