"""Masks: Boolean algebra, sound covers, pictures, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn
from attn import Cover
from attn.backends.blockwise import operands
from attn.backends.planner import Tiling
from attn.spec.drawing import table
from tests.cases import MASKS, Draw, where

T = 13
small = st.integers(0, 9)
block_tables = st.lists(
    st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=4
).map(tuple)
atoms = st.one_of(
    st.sampled_from([attn.causal, attn.everything, attn.segments]),
    st.builds(lambda back: attn.window(back=back), small),
    st.builds(lambda ahead: attn.window(ahead=ahead), small),
    st.builds(attn.window, back=small, ahead=small),
    st.builds(attn.prefix, small),
    st.builds(attn.first, small),
    st.builds(attn.dilated, st.integers(1, 5)),
    st.builds(attn.chunked, st.integers(1, 6)),
    st.builds(attn.global_tokens, small),
    st.builds(attn.random_blocks, st.floats(0, 1), st.integers(1, 4), small),
    st.builds(attn.blocks, block_tables, st.integers(1, 5)),
)
masks = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a, b: a ^ b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=4,
)
sizes = st.sampled_from([1, 4])  # few, so that few shapes are compiled
SEGMENT = np.arange(T) * 3 // T
AT = attn.at(segment=SEGMENT)
seen = lambda mask: table(mask, T, T, AT)  # noqa: E731
quick = settings(max_examples=60, deadline=None, derandomize=True)


@quick
@given(masks, masks)
def test_operators_are_boolean_algebra_pointwise(a, b):
    x, y = seen(a), seen(b)
    np.testing.assert_array_equal(seen(a & b), x & y)
    np.testing.assert_array_equal(seen(a | b), x | y)
    np.testing.assert_array_equal(seen(a ^ b), x ^ y)
    np.testing.assert_array_equal(seen(~a), ~x)


@quick
@given(masks, masks, masks)
def test_brackets_do_not_matter_within_one_operator(a, b, c):
    assert a & (b & c) == (a & b) & c
    assert a | (b | c) == (a | b) | c
    assert a ^ (b ^ c) == (a ^ b) ^ c
    assert ~~a == a
    assert a & attn.everything == a == attn.everything & a


@quick
@given(masks)
def test_a_mask_is_what_its_notation_says(mask):
    assert attn.parse(repr(mask)) == mask
    assert hash(attn.parse(repr(mask))) == hash(mask)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(masks, small, small, sizes, sizes, st.integers(0, 40))
def test_cover_is_sound(mask, row, col, height, width, shift):
    """EMPTY means no pair of the spans, FULL every pair, wherever they lie."""
    query_pos = jnp.arange(row, row + height) + shift
    key_pos = jnp.arange(col, col + width) + shift
    data = {"segment": np.zeros(height, int)}, {"segment": np.arange(width) % 2}
    at = attn.at(query_pos, key_pos, query=data[0], key=data[1])
    spans = [(int(x[0]), int(x[-1])) for x in (query_pos, key_pos)]
    cover, pairs = mask.cover(*spans), table(mask, height, width, at)
    assert cover != Cover.EMPTY or not pairs.any()
    assert cover != Cover.FULL or pairs.all()
    assert (~mask).cover(*spans) == 2 - cover
    assert mask.cover(None, None) == Cover.SOME or mask.cover(None, None) == cover


@pytest.mark.parametrize(
    ("notation", "spans", "expected"),
    [
        ("causal", ((4, 7), (0, 4)), Cover.FULL),
        ("causal", ((4, 7), (8, 9)), Cover.EMPTY),
        ("causal", ((4, 7), (5, 9)), Cover.SOME),
        ("window(back=3)", ((8, 9), (0, 4)), Cover.EMPTY),
        ("causal & window(back=3)", ((8, 9), (6, 8)), Cover.FULL),
        ("causal & window(back=3)", ((8, 9), (0, 4)), Cover.EMPTY),
        ("first(4) | causal", ((0, 1), (2, 3)), Cover.FULL),
        ("first(4) | causal", ((0, 1), (4, 9)), Cover.EMPTY),
        ("prefix(4)", ((0, 3), (0, 3)), Cover.FULL),
        ("prefix(4)", ((4, 8), (0, 3)), Cover.EMPTY),
        ("chunked(4)", ((4, 7), (4, 7)), Cover.FULL),
        ("chunked(4)", ((4, 7), (0, 3)), Cover.EMPTY),
        ("dilated(8)", ((0, 0), (1, 7)), Cover.EMPTY),
        ("dilated(8)", ((9, 9), (1, 1)), Cover.FULL),
        ("global_tokens(4)", ((0, 3), (50, 60)), Cover.FULL),
        ("global_tokens(4)", ((5, 6), (50, 60)), Cover.EMPTY),
        ("blocks(((1, 0), (1, 1)), 4)", ((0, 3), (4, 7)), Cover.EMPTY),
        ("blocks(((1, 0), (1, 1)), 4)", ((4, 7), (0, 7)), Cover.FULL),
        ("blocks(((1, 0), (1, 1)), 4)", ((8, 9), (0, 7)), Cover.EMPTY),
        ("random_blocks(0.0)", ((0, 99), (0, 99)), Cover.EMPTY),
        ("random_blocks(1.0)", ((0, 99), (0, 99)), Cover.FULL),
        ("causal ^ causal", ((0, 3), (8, 9)), Cover.EMPTY),
        ("~causal", ((0, 3), (8, 9)), Cover.FULL),
    ],
)
def test_cover_is_sharp_where_skipping_depends_on_it(notation, spans, expected):
    assert attn.parse(notation).cover(*spans) == expected


@pytest.mark.parametrize("case", MASKS, ids=[c.name for c in MASKS])
def test_a_tile_of_a_mask_is_the_mask_cut(case):
    """Backends evaluate masks tile by tile, with static and with traced starts."""
    draw = Draw(7, 11)
    mask, at = case.piece(draw), where(draw)[0]
    full = table(mask, 7, 11, at)
    resolved = attn.spec.site.resolve(at, 7, 11, mask)
    layout, floats, others = operands.gather(attn.Attention(mask=mask), resolved, "f")
    rows, keys = jnp.zeros((7, 1)), jnp.zeros((11, 1))
    whole = operands.Operands(rows, keys, keys, floats, others, None, None)

    def part(row, col):
        tile = operands.cut(layout, whole, (row, 3), (col, 5))
        _, mask, where = layout.unflatten(tile.floats, tile.others)
        return jnp.broadcast_to(mask.allows(attn.spec.site.whole(where)), (3, 5))

    np.testing.assert_array_equal(part(2, 4), full[2:5, 4:9])
    np.testing.assert_array_equal(jax.jit(part)(4, 6), full[4:7, 6:11])


def test_a_picture_of_a_mask():
    assert attn.causal.draw(3) == "█ · ·\n█ █ ·\n█ █ █"
    assert attn.window(back=1).draw(2, 4, at=attn.at(jnp.array([2, 3]))) == (
        "· █ █ █\n· · █ █"
    )
    text = str(attn.causal & attn.window(back=2))
    assert text.splitlines()[0] == "causal & window(back=2)"
    assert len(text.splitlines()) == 17


@pytest.mark.parametrize("case", MASKS, ids=[c.name for c in MASKS])
def test_print_never_breaks(case):
    mask = case.piece()
    assert repr(mask) in str(mask)
    assert len(str(mask).splitlines()) > 2
    with_heads = attn.window(back=attn.per_head([1, 2])) & mask
    assert "█" in str(with_heads) or "·" in str(with_heads)


def test_print_draws_one_head_of_arrays_that_differ():
    lower = np.tril(np.ones((2, 3, 3), bool))
    picture = attn.causal.draw(3)
    assert str(attn.dense(attn.per_head(lower))).endswith("\n" + picture)
    each = attn.per_batch(attn.per_head(lower[None]))
    assert str(attn.causal & attn.dense(each)).endswith("\n" + picture)


def test_print_of_a_mask_of_given_size_is_as_long_but_never_much():
    wide = attn.dense(np.ones((2, 3), bool)) & attn.causal
    assert str(wide).endswith("\n█ · ·\n█ █ ·")
    lines = str(~attn.dense(np.zeros((70, 300), bool))).splitlines()
    assert len(lines) == 1 + 64 + 1
    assert lines[-2:] == [" ".join("█" * 64), "(the first 64 x 64 of 70 x 300)"]


def test_print_of_a_traced_mask_says_why_there_is_no_picture(capsys):
    jax.jit(lambda mask: print(mask))(attn.window(back=jnp.int32(3)))
    assert "no picture" in capsys.readouterr().out


def test_print_of_what_cannot_be_drawn_gives_the_reason():
    flag = attn.predicate(lambda site: site.query["flag"])
    assert "no picture" in str(flag)


def test_random_blocks_are_the_same_at_every_length_and_near_their_rate():
    mask = attn.random_blocks(0.25, size=1, seed=5)
    long = table(mask, 200, 200)
    np.testing.assert_array_equal(table(mask, 50, 50), long[:50, :50])
    assert abs(long.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 200**2)
    assert (long != table(attn.random_blocks(0.25, size=1, seed=6), 200, 200)).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.window(), "window: expected `back=` or `ahead=`"),
        (lambda: attn.window(back=-1), "window: `back` must be a whole number of at"),
        (lambda: attn.window(back=1.5), "window: `back` must be a whole number of at"),
        (lambda: attn.window(ahead=True), "window: `ahead` must be a whole number"),
        (
            lambda: attn.prefix(-2),
            "prefix: `length` must be a whole number",
        ),
        (lambda: attn.first("4"), "first: `count` must be a whole number"),
        (
            lambda: attn.dilated(0),
            "dilated: `step` must be a whole number of",
        ),
        (
            lambda: attn.chunked(0),
            "chunked: `size` must be a whole number of",
        ),
        (lambda: attn.global_tokens(-1), "global_tokens: `count` must be"),
        (lambda: attn.random_blocks(1.5), "random_blocks: `rate` must lie from 0 to 1"),
        (lambda: attn.random_blocks(0.5, size=0), "random_blocks: `size` must be"),
        (lambda: attn.blocks(((1, 0), (1,)), 4), "blocks: `table` must have rows of 0"),
        (lambda: attn.blocks(((2,),), 4), "blocks: `table` must have rows of 0 and 1"),
        (lambda: attn.blocks(((),), 4), "blocks: `table` must have rows of 0 and 1"),
        (lambda: attn.blocks([[1]], 0), "blocks: `size` must be a whole number"),
        (lambda: attn.dense(np.ones((2, 2))), "dense: `array` must be boolean"),
        (lambda: attn.predicate(3), "predicate: expected a function, got 3"),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(")):
        make()


def test_python_words_are_no_mask_operators():
    """`a and b` would silently be `b`."""
    for wrong in (
        lambda: attn.causal and attn.segments,
        lambda: attn.causal or attn.segments,
        lambda: not attn.causal,
    ):
        with pytest.raises(TypeError, match="a mask has no truth value; combine masks"):
            wrong()
    for wrong in (lambda: attn.causal & attn.window, lambda: attn.window | attn.causal):
        with pytest.raises(TypeError, match="`window` needs arguments; write window"):
            wrong()
    for wrong in (lambda: attn.causal & 3, lambda: True | attn.causal):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong()


@pytest.mark.parametrize(
    ("mask", "at", "message"),
    [
        (attn.causal, None, "compares positions and T=3 differs from S=5: say where"),
        (~attn.causal | attn.first(1), None, "compares positions and T=3 differs"),
        (
            attn.segments,
            None,
            r"needs `segment` and the query side has none: give at=attn\.at",
        ),
        (
            attn.dense(np.ones((3, 4), bool)),
            None,
            "axis S is 4 in `array` but 5 in",
        ),
        (
            attn.dense(np.ones((2, 5), bool)),
            None,
            "axis T is 2 in `array` but 3 in",
        ),
        (attn.dense(np.ones(5, bool)), None, r"`array` must be \[T, S\], got \(5,\)"),
        (attn.causal, attn.at(jnp.arange(4)), r"`query_pos` of shape \(4,\), expected"),
    ],
)
def test_a_mask_that_does_not_fit_the_call_is_refused(mask, at, message):
    query, key = jnp.ones((3, 2)), jnp.ones((5, 2))
    with pytest.raises(ValueError, match=message):
        attn.attend(mask, query, key, key, at=at, backend="dense")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "int32"])
def test_a_window_is_as_wide_in_every_dtype(dtype):
    narrow = attn.window(back=jnp.asarray(2, dtype), ahead=jnp.asarray(1, dtype))
    expected = table(attn.window(back=2, ahead=1), 7, 7)
    with jax.numpy_dtype_promotion("standard"):
        np.testing.assert_array_equal(table(narrow, 7, 7), expected)


@pytest.mark.parametrize("tiling", [Tiling(strip=4, step=4), Tiling(0, rows=2, cols=2)])
def test_the_lowest_position_is_behind_every_window(tiling):
    """As a ring buffer may mark a place that holds no key yet."""
    lowest, places = -(2**31), jnp.arange(7)
    key_pos = places.at[jnp.array([1, 3])].set(lowest)
    x = jnp.asarray(Draw(7).normal(7, 3))
    for mask in (attn.window(back=2), attn.causal & attn.window(back=2, ahead=9)):
        shown = table(mask, 7, 7) & (np.asarray(key_pos) != lowest)
        stand = attn.at(places, key_pos)
        expected = attn.attend(attn.dense(shown), x, x, x).value
        got = attn.attend(mask, x, x, x, at=stand, backend="dense").value
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        blockwise = {"backend": "blockwise", "tiling": tiling}
        got = attn.attend(mask, x, x, x, at=stand, **blockwise).value
        np.testing.assert_allclose(got, expected, rtol=1e-5)
