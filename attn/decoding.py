"""Decoding: the likeliest answer to one question, token by token.

Written for one example; `vmap` lifts it to a batch. Fixed shapes, so that one
compilation serves every answer.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

# (tokens [R, T], count) -> logits [R, V] of what follows the first `count` tokens.
Score = Callable[[Array, Array], Array]


def greedy(score: Score, *, start: int, end: int, length: int) -> tuple[Array, Array]:
    """Takes the likeliest token, again and again.

    Args:
      score: logits of the next token, for R = 1 row of T = `length` tokens.
      start: the token before the answer.
      end: the token that ends it.
      length: most tokens of an answer, its end among them.

    Returns:
      The answer [length] int32, `end` from its end on, and its log probability.
    """

    def unfinished(carry):
        _, _, count, is_over = carry
        return (count <= length) & ~is_over

    def body(carry):
        tokens, total, count, _ = carry
        nats = log_probabilities(score, tokens, count)[0]
        token = nats.argmax().astype(jnp.int32)
        tokens = tokens.at[0, count].set(token)
        return tokens, total + nats[token], count + 1, token == end

    tokens = empty(1, start, end, length)
    carry = (tokens, jnp.float32(0), jnp.int32(1), jnp.asarray(False))
    tokens, total, _, _ = jax.lax.while_loop(unfinished, body, carry)
    return tokens[0, 1:], total


def beam_search(
    score: Score,
    *,
    start: int,
    end: int,
    length: int,
    beams: int,
    penalty: float = 0.6,
) -> tuple[Array, Array]:
    """Keeps the likeliest beginnings, and the best answers that have ended.

        worth = log probability / ((5 + tokens) / 6) ** penalty

    An answer that has not ended after `length` tokens counts as it stands.

    Args:
      score: logits of the next token, for R = `beams` rows of T = `length` tokens.
      start: the token before the answer.
      end: the token that ends it.
      length: most tokens of an answer, its end among them.
      beams: how many beginnings go on, and how many answers are kept.
      penalty: 0 compares probabilities, which favours short answers; more, longer ones.

    Returns:
      The answers [beams, length] int32, best first, `end` from their end on, and their
      worth [beams] float32, -inf where there were fewer answers.

    Reference:
      Wu et al. 2016, section 7, eq. 14, arXiv 1609.08144.
    """

    def worth(total: Array, count: Array) -> Array:
        return total / ((5 + count.astype(jnp.float32)) / 6) ** penalty

    def unfinished(carry):
        (_, going), (_, kept), count = carry
        # Nothing gets likelier by going on: this is the most that is left to find.
        most = worth(going.max(), jnp.int32(length))
        return (count <= length) & (most > kept.min())

    def body(carry):
        (tokens, total), kept, count = carry
        nats = total[:, None] + log_probabilities(score, tokens, count)
        # Rows are full of `end`: a beginning that ends here is written already.
        kept = best(kept, (tokens, worth(nats[:, end], count)))
        nats = nats.at[:, end].set(-jnp.inf)
        total, where = jax.lax.top_k(nats.reshape(-1), beams)
        row, token = jnp.divmod(where.astype(jnp.int32), nats.shape[1])
        tokens = tokens[row].at[:, count].set(token)
        return (tokens, total), kept, count + 1

    def best(kept, new):
        tokens, worths = (jnp.concatenate(both) for both in zip(kept, new, strict=True))
        worths, where = jax.lax.top_k(worths, beams)
        return tokens[where], worths

    tokens = empty(beams, start, end, length)
    none = jnp.full(beams, -jnp.inf, jnp.float32)
    carry = ((tokens, none.at[0].set(0.0)), (tokens, none), jnp.int32(1))
    going, kept, count = jax.lax.while_loop(unfinished, body, carry)
    is_full = count > length
    cut = jnp.where(is_full, worth(going[1], jnp.int32(length)), -jnp.inf)
    tokens, worths = best(kept, (going[0], cut))
    return tokens[:, 1:], worths


def empty(rows: int, start: int, end: int, length: int) -> Array:
    """Rows [rows, 1 + length] of the start and nothing but ends."""
    return jnp.full((rows, 1 + length), end, jnp.int32).at[:, 0].set(start)


def log_probabilities(score: Score, tokens: Array, count: Array) -> Array:
    """Of each next token: [R, V] float32."""
    logits = score(tokens[:, :-1], count).astype(jnp.float32)
    return jax.nn.log_softmax(logits, axis=-1)
