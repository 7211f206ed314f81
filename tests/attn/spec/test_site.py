"""Where tokens stand: positions are whole numbers, one a token."""

import jax
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
        (lambda: attn.at(segment="abc"), "at: `segment` must be an array, got 'abc'."),
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


def test_whole_numbers_of_64_bits_are_refused_rather_than_wrapped():
    """2^32 + 1 would be 1 in 32 bits, and two documents one."""
    wide = np.array([1, 1, 2**32 + 1, 3, 3])
    for name in ("segment", "positions"):
        message = rf"^at: `{name}`: 4294967297 does not fit int32\.$"
        with pytest.raises(ValueError, match=message):
            attn.at(**{name: wide})
    message = r"^rotate_heads: `positions`: 4294967297 does not fit int32\.$"
    with pytest.raises(ValueError, match=message):
        attn.rotate_heads("rotary", jnp.ones((1, T, 2, 4)), wide)
    # With 64 bits everywhere a document may have any number; positions are 32 bits.
    with jax.enable_x64(True):
        assert attn.at(segment=wide).key["segment"].dtype == "int64"
        for given in (wide, jnp.asarray(wide), attn.per_batch(wide[None])):
            with pytest.raises(ValueError, match=r"^at: `positions`: 4294967297 does"):
                attn.at(positions=given)
    message = r"^at: `doc` must fit int32, got \[1, 4294967297\]\.$"
    with pytest.raises(ValueError, match=message):
        attn.at(query={"doc": [1, 2**32 + 1]})


def test_data_that_are_the_same_are_equal():
    data = lambda **more: attn.at(jnp.arange(T), segment=jnp.ones(T, int), **more)  # noqa: E731
    assert data() == data() != data(key={"x": HALVES})
    assert data() != attn.at(jnp.arange(T), segment=jnp.zeros(T, int))
    assert attn.at(attn.per_batch([[1]])) == attn.at(attn.per_batch([[1]]))
    one = attn.attend("causal", QUERY, KEY, VALUE, probes=("entropy",))
    assert one == jax.tree.map(jnp.copy, one) != jax.tree.map(jnp.zeros_like, one)
    with pytest.raises(TypeError, match="unhashable type: 'At'"):
        hash(data())


# A function of two positions, as of FlexAttention, and the ways to call it on a tile.
TABLE = jnp.asarray(Draw(T).normal(T))


def of_a_pair(logit, i, j):
    return logit + TABLE[j] * (i - j).astype(logit.dtype)


def by_rows_and_columns(logits, site):
    columns = jax.vmap(of_a_pair, (0, None, 0))
    rows = jax.vmap(columns, (0, 0, None))
    return rows(logits, site.query_pos[:, 0], site.key_pos[0])


def at_once(logits, site):
    return of_a_pair(logits, site.query_pos, site.key_pos)


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
@pytest.mark.parametrize("mask", ["everything", "causal", "window(back=1, ahead=1)"])
def test_a_function_of_a_site_meets_the_shapes_that_are_promised(mask, backend):
    def call(function, backend):
        spec = attn.parse(mask), attn.fn(function)
        return attn.attend(spec, QUERY, KEY, VALUE, backend=backend).value

    expected = call(at_once, "dense")
    np.testing.assert_allclose(call(by_rows_and_columns, backend), expected, rtol=1e-5)


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_data_of_hidden_keys_reach_no_gradient(backend):
    """Times ahead of the query have no log, and padding need not be a number."""
    time = jnp.cumsum(jnp.abs(TABLE) + 1)
    score = TABLE.at[-1].set(jnp.nan)
    where = attn.at(query={"time": time}, key={"time": time, "score": score})
    keys = {"mask": attn.causal & attn.dense(jnp.arange(T)[None] < T - 1)}

    def bend(logits, site, slope):
        passed = site.query["time"] - site.key["time"]
        return logits - slope * (jnp.log1p(passed) + site.key["score"])

    def loss(slope, value):
        spec = attn.Attention(logits=attn.fn(bend, slope=slope), **keys)
        found = attn.attend(spec, QUERY, KEY, value, at=where, backend=backend).value
        return jnp.sum(jnp.sin(found))

    slope = jnp.float32(0.3)
    change = (loss(slope + 1e-2, VALUE) - loss(slope - 1e-2, VALUE)) / 2e-2
    np.testing.assert_allclose(jax.grad(loss)(slope, VALUE), change, rtol=1e-2)


def test_narrow_arrays_of_a_function_are_widened_on_every_backend():
    def bend(logits, site, slope):
        return logits - slope * site.key["cost"] * 3

    narrow = (x.astype(jnp.bfloat16) for x in (TABLE, jnp.float32(0.7)))
    cost, slope = narrow
    spec, where = attn.fn(bend, slope=slope), attn.at(key={"cost": cost})
    exact = attn.fn(bend, slope=slope.astype(jnp.float32))
    exact_at = attn.at(key={"cost": cost.astype(jnp.float32)})
    expected = attn.attend(exact, QUERY, KEY, VALUE, at=exact_at, backend="dense")
    for backend in ("dense", "blockwise"):
        got = attn.attend(spec, QUERY, KEY, VALUE, at=where, backend=backend)
        np.testing.assert_allclose(got.value, expected.value, rtol=1e-5)


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_data_that_a_function_reads_and_nobody_gave_are_named(backend):
    spec = attn.predicate(lambda site: site.query["doc"] == site.key["doc"])
    message = (
        "attend: the query side has no data `doc`, which the spec reads: give "
        "at=attn.at(query={'doc': ...}), one row per token."
    )
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        attn.attend(spec, QUERY, KEY, VALUE, backend=backend)
    assert str(caught.value) == message
