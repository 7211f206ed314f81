"""Where tokens stand: positions are whole numbers, one a token."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.modules import MultiHeadAttention
from tests.cases import Draw

T, H = 5, 4
QUERY, KEY, VALUE = (jnp.asarray(Draw(T).normal(T, H)) for _ in range(3))
X = jnp.ones((1, T, 6))
HALVES = jnp.arange(T) / 2


def attend(**options):
    return attn.attend("causal", QUERY, KEY, VALUE, at=attn.at(**options)).value


def turned(positions):
    layer = MultiHeadAttention(width=6, heads=3, position="rotary", rngs=nnx.Rngs(0))
    return layer(X, at=attn.at(positions=positions))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.at(positions=HALVES), "at: `positions` must be whole numbers, "
            "got float32; give fractions as data of your own, for example "
            "query={'time': ...}."),
        (lambda: attn.at(key_pos=attn.per_batch(HALVES[None])), "at: `key_pos` must be "
            "whole numbers, got float32; give fractions as data of your own, for "
            "example query={'time': ...}."),
        (lambda: attn.at([3_000_000_000]), "at: `query_pos` must fit int32, got "
            "[3000000000]."),
        (lambda: attn.at(query={"key_pos": HALVES}), "at: `key_pos` is the name of "
            "positions, not of other data; give at(key_pos=...)."),
        (lambda: attend(positions=jnp.zeros((T, 3), int)), "attend: `at` has query "
            "data `query_pos` of shape (5, 3), expected [T] with T=5."),
        (lambda: attend(segment=jnp.zeros((T, 1), int)), "attend: `at` has query data "
            "`segment` of shape (5, 1), expected [T] with T=5."),
        (lambda: attend(key={"x": HALVES[:3]}), "attend: `at` has key data `x` of "
            "shape (3,), expected [S, ...] with S=5."),
        (lambda: turned(attn.per_head(jnp.zeros((3, T), int))), "rotate_heads: "
            "`positions` of tokens are the same for all heads, got per_head; give [T] "
            "or [B, T]."),
    ],
)  # fmt: skip
def test_what_stands_nowhere_is_refused_in_one_line(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_positions_may_be_of_any_whole_dtype(dtype):
    found = attend(positions=np.arange(T, dtype=dtype)[::-1])
    np.testing.assert_array_equal(found, attend(positions=jnp.arange(T)[::-1]))
