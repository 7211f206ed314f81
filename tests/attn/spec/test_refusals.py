"""What is easily got wrong in a spec: it means what it says, or says what is wrong."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.spec.drawing import table
from tests.cases import Draw

T, S, H = 5, 7, 3
DRAW = Draw(T, S, H)
QUERY, KEY, VALUE = (jnp.asarray(DRAW.normal(n, H)) for n in (T, S, S))
AT = attn.at(jnp.arange(T))


@contextlib.contextmanager
def refused(message):
    """The whole message, which is one line."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        yield
    assert str(caught.value) == message


def attend(spec, backend="dense", **options):
    return attn.attend(spec, QUERY, KEY, VALUE, at=AT, backend=backend, **options).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("causal # docs\n& window(back=3)", attn.causal & attn.window(back=3)),
        ("# first\ncausal\n# last", attn.causal),
        (
            "causal, # it's one\nsoftcap(50)",
            attn.Attention.of(attn.causal, attn.softcap(50)),
        ),
    ],
)
def test_a_comment_ends_with_its_line(text, expected):
    assert attn.parse(text) == expected


def test_a_quoted_hash_is_no_comment():
    with pytest.raises(ValueError, match="unknown dtype '#'"):
        attn.parse("bias(array([1.0], '#'))")
    with pytest.raises(ValueError, match="an empty text"):
        attn.parse("# causal")


def row(logits, site):
    return (site.key_pos % 3).astype(jnp.float32)


def column(logits, site):
    return site.query_pos.astype(jnp.float32)


def number(logits, site):
    return 2


def truth(logits, site):
    return site.key_pos <= site.query_pos


@pytest.mark.parametrize("function", [row, column, number, truth])
@pytest.mark.parametrize("backend", ["dense", "blockwise"])
@pytest.mark.parametrize("mask", [attn.everything, attn.causal])
def test_what_a_function_returns_is_broadcast_to_the_logits(function, backend, mask):
    def whole(logits, site):
        return logits * 0 + jnp.asarray(function(logits, site), logits.dtype)

    got = attend((mask, attn.fn(function)), backend)
    assert got.shape == (T, H)
    np.testing.assert_allclose(got, attend((mask, attn.fn(whole))), rtol=1e-5)


def test_what_does_not_broadcast_to_the_logits_is_refused():
    def turned(logits, site):
        return logits.T

    def nothing(logits, site):
        return None

    with refused(
        "fn: `turned` must return [T, S] = [5, 7] or what broadcasts to it, got [7, 5]."
    ):
        attend(attn.fn(turned))
    with refused("fn: `nothing` must return an array of real numbers, got NoneType."):
        attend(attn.fn(nothing))


@pytest.mark.parametrize(
    "function",
    [
        lambda site: (site.key_pos <= site.query_pos).astype(int),
        lambda site: (site.key_pos - site.query_pos) * 2,
        lambda site: True,
        lambda site: 0,
    ],
)
def test_a_predicate_of_numbers_keeps_boolean_algebra(function):
    def boolean(site):
        got = np.asarray(function(site)) != 0
        return np.broadcast_to(got, (len(site.query_pos), site.key_pos.shape[1]))

    one, other = attn.predicate(function), attn.predicate(boolean)
    near = attn.window(back=1)
    for join in (
        lambda mask: mask,
        lambda mask: ~mask,
        lambda mask: mask & near,
        lambda mask: mask ^ near,
    ):
        np.testing.assert_array_equal(table(join(one), T, T), table(join(other), T, T))
        got = attend(join(one))
        np.testing.assert_array_equal(got, attend(attn.dense(table_of(join(other)))))


def table_of(mask):
    site = attn.spec.site.whole(attn.at(jnp.arange(T), jnp.arange(S)))
    return np.broadcast_to(mask.allows(site), (T, S))


def test_a_dense_mask_of_numbers_is_refused_also_per_head():
    message = (
        "dense: `array` must be boolean (True may attend), got int32; for numbers to "
        "add use `bias(array)`."
    )
    ones = np.ones((2, 3, 3), np.int32)
    for array in (
        ones[0],
        attn.per_head(ones),
        attn.per_batch(attn.per_head(ones[None])),
    ):
        with refused(message):
            attn.dense(array)
    flipped = attn.dense(np.ones((T, S), bool)).replace(array=np.ones((T, S), int))
    assert not np.asarray(table_of(~flipped)).any()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda x: attn.softmax(sink=x), "softmax: `sink`"),
        (lambda x: attn.alibi(slopes=x), "alibi: `slopes`"),
        (attn.scale, "scale: `by`"),
        (attn.softcap, "softcap: `cap`"),
        (attn.log_length, "log_length: `by`"),
        (lambda x: attn.softcap(3.0) >> attn.scale(x), "scale: `by`"),
        (lambda x: attn.sigmoid(bias=x), "sigmoid: `bias`"),
        (lambda x: attn.dot(scale=x), "dot: `scale`"),
        (lambda x: attn.l2(scale=x), "l2: `scale`"),
        (lambda x: attn.cosine(temperature=x), "cosine: `temperature`"),
        (lambda x: attn.window(back=x.astype(int)), "window: `back`"),
        (lambda x: ~attn.window(ahead=x.astype(int)), "window: `ahead`"),
        (lambda x: attn.first(x.astype(int)), "first: `count`"),
        (lambda x: attn.chunked(x.astype(int)), "chunked: `size`"),
    ],
)
def test_a_forgotten_per_head_is_refused_where_one_number_belongs(make, field):
    n = 4  # as many heads as queries and keys: any axis would broadcast
    query = jnp.asarray(Draw(n).normal(1, n, n, H))
    with refused(
        f"{field} must be one number per head, got shape (4,); wrap it in per_head."
    ):
        attn.attend_heads(make(jnp.array([1.0, 2, 3, 4])), query, query, query)
    attn.attend_heads(make(jnp.asarray(2.0)), query, query, query, backend="dense")


def test_a_forgotten_per_head_is_refused_in_a_rotation():
    x = jnp.ones((1, 5, 4, 8))
    base = jnp.array([10.0, 20, 30, 40])
    for position, field in (
        (attn.rotary(base=base), "rotary: `base`"),
        (attn.rotary(scaling=attn.linear(base)), "linear: `factor`"),
    ):
        with refused(
            f"{field} must be one number per head, got shape (4,); wrap it in per_head."
        ):
            attn.heads.rotate_heads(position, x)
    attn.heads.rotate_heads(attn.rotary(base=attn.per_head(base)), x)


def test_seeds_of_random_blocks_are_independent():
    draw = lambda seed: table(attn.random_blocks(0.5, size=1, seed=seed), 64, 64)  # noqa: E731
    one, other = draw(1), draw(2)
    for shift in range(-3, 4):  # 64 * 57 pairs and more; 5 standard deviations
        for axis in (0, 1):
            same = (np.roll(one, shift, axis) == other).mean()
            assert abs(same - 0.5) < 5 * 0.5 / 64, (shift, axis)
    assert (draw(2**32 - 1) != draw(0)).any()


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_random_blocks_are_drawn_alike_everywhere(backend):
    mask = attn.random_blocks(0.5, size=2, seed=2**31 + 7)
    np.testing.assert_allclose(
        attend(mask, backend), attend(attn.dense(table_of(mask))), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: attn.dropout(np.float64(0.1)), attn.dropout(0.1)),
        (lambda: attn.random_blocks(np.float64(0.5)), attn.random_blocks(0.5)),
        (lambda: attn.entmax(np.float64(1.5)), attn.entmax(1.5)),
        (lambda: attn.yarn(np.float64(2), 64), attn.yarn(2.0, 64)),
        (lambda: attn.window(back=np.uint8(3)), attn.window(back=3)),
        (lambda: attn.t5(bidirectional=np.bool_(True)), attn.t5(bidirectional=True)),
        (
            lambda: attn.blocks(tuple(map(tuple, np.eye(3, dtype=int))), 2),
            attn.blocks(((1, 0, 0), (0, 1, 0), (0, 0, 1)), 2),
        ),
    ],
)
def test_a_number_of_numpy_is_static_as_a_number_is(one, other):
    assert one() == other
    assert jax.tree.structure(one()) == jax.tree.structure(other)
    assert attn.parse(repr(one())) == one()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.first(3000000000), "first: `count` must be a whole number of at "
            "most 2147483647, got 3000000000."),
        (lambda: attn.chunked(2**40), "chunked: `size` must be a whole number of at "
            "most 2147483647, got 1099511627776."),
        (lambda: attn.window(back=2**63 - 1), "window: `back` must be a whole number "
            "of at most 2147483647, got 9223372036854775807."),
        (lambda: attn.random_blocks(0.5, seed=2**32), "random_blocks: `seed` must be a "
            "whole number of at most 4294967295, got 4294967296."),
        (lambda: attn.random_blocks(0.5, seed=-1), "random_blocks: `seed` must be a "
            "whole number of at least 0, got -1."),
        (lambda: attn.fn(attn.softmax), "fn: expected a function, got the piece "
            "`softmax`; give the piece itself, without `fn`."),
        (lambda: attn.additive(1, 2, 3), "additive: `query_map` must be an array "
            "[H, A], got 1."),
        (lambda: attn.bilinear(2.0), "bilinear: `matrix` must be an array [H, H], "
            "got 2.0."),
        (lambda: attn.attend("causal", QUERY[:, :0], KEY[:, :0], VALUE, at=AT),
            "attend: widths must be at least 1, got H=0 in `query` (5, 0)."),
        (lambda: attn.attend("causal", QUERY, KEY, VALUE[:, :0], at=AT),
            "attend: widths must be at least 1, got E=0 in `value` (7, 0)."),
        (lambda: attend("dropout(0.1)", rng=0), "attend: `rng` must be one key, for "
            "example jax.random.key(0), got 0."),
        (lambda: attn.fn(attn.scale), "fn: expected a function, got the piece "
            "`scale`; give the piece itself, without `fn`."),
        (lambda: attn.bias([[3_000_000_000]]), "bias: `array`: 3000000000 does not fit "
            "int32."),
        (lambda: attn.bias([[1e39]]), "bias: `array`: 1e+39 does not fit float32."),
        (lambda: attn.window(back=attn.per_head([2**31, 4])), "per_head: 2147483648 "
            "does not fit int32."),
        (lambda: attn.window(back=attn.per_head(np.array([2**31, 4]))), "per_head: "
            "2147483648 does not fit int32."),
        (lambda: attn.predicate(len, gap=3_000_000_000), "predicate: `gap`: 3000000000 "
            "does not fit int32; write it as a float."),
        (lambda: attn.predicate(len, gap=np.array([2**31])), "predicate: `gap`: "
            "2147483648 does not fit int32."),
        (lambda: attn.parse("bias(array([[300]], 'uint8'))"), "notation: array: 300 "
            "does not fit uint8."),
        (lambda: attn.parse("bias(array([[0.5]], 'int32'))"), "notation: array: 0.5 "
            "does not fit int32."),
        (lambda: attn.bias(np.ones((T, S), complex)), "bias: `array`: expected real "
            "numbers, got complex128."),
        (lambda: attn.decay(0.5, np.ones(S)), "decay: `query` must be an array [T], "
            "got 0.5."),
        (lambda: attn.parse("dense(array)"), "notation: dense: `array` must be an "
            "array [T, S], got array."),
        (lambda: attn.parse("softcap(learned)"), "notation: softcap: `cap` must be a "
            "positive number, got learned."),
        (lambda: attend(np.ones((T, S), bool)), "attention: expected an Attention, a "
            "piece such as attn.causal, or notation, got an array; as a mask it is "
            "attn.dense(array)."),
        (lambda: attn.at(key=jnp.ones(S)), "at: `key` must be a dict of arrays, got "
            "ArrayImpl."),
        (lambda: attn.attend_heads("causal", *[jnp.ones((1, T, 2, H))] * 3,
            backend=["dense"]), "attend: unknown backend ['dense']; one of auto, "
            "dense, blockwise, fused, pallas."),
        (lambda: attn.rotate_heads("rotary", jnp.ones((1, T, 2, 4), int)),
            "rotate_heads: `x` must be floating point, got int32; cast it, for example "
            "x.astype(jnp.float32)."),
        (lambda: attn.explain("causal", jnp.ones((1, T, 2, H)), platform="cuda"),
            "explain: `platform` must be one of cpu, gpu, tpu, got 'cuda'."),
        (lambda: attn.causal.draw(-1), "draw: `t` must be a whole number of at least "
            "0, got -1."),
        (lambda: attn.parse("table(3)", {"table": np.array([1, 2])}), "notation: "
            "`table` takes no arguments here, got `table(3)`."),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_refused_in_one_line(make, message):
    with refused(message):
        make()


@pytest.mark.parametrize("array", [np.ones((T, S), bool), jnp.ones((T, S), bool)])
def test_a_mask_and_an_array_are_not_joined_silently(array):
    for join in (lambda: array & attn.causal, lambda: attn.causal | array):
        with pytest.raises(TypeError, match=r"^an array is no mask; write attn.dense"):
            join()


def test_arrays_of_notation_are_frozen_and_those_of_a_caller_are_not():
    """Who writes the same text gets the same piece, which nobody may change."""
    text = "bias(array([[1.0, 2.0]], 'float64', (2, 1)))"
    with pytest.raises(ValueError, match="read-only"):
        attn.parse(text).array[0, 0] = 5
    mine = np.ones((1, 1))
    attn.parse("bias(array(mine, 'float64'))", {"mine": mine})
    mine[0, 0] = 2.0
