"""Positions against their oracles, and the laws that make rotary what it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.heads import embed_positions, rotate_heads
from tests import oracles
from tests.cases import Draw

WIDTH = 8
POSITIONS = np.array([0, 1, 2, 5, 100, 2047, 4095])
EMBEDDED = {
    "sinusoidal": oracles.sinusoidal(10000.0),
    "sinusoidal(base=100.0)": oracles.sinusoidal(100.0),
}
ROTATED = {
    "rotary": oracles.rotary(10000.0),
    "rotary(base=500000.0)": oracles.rotary(500000.0),
    "rotary(width=4)": oracles.rotary(10000.0, 4),
    "rotary(scaling=linear(4.0))": oracles.rotary(10000.0, None, oracles.linear(4.0)),
    "rotary(scaling=ntk(4.0))": oracles.rotary(10000.0, None, oracles.ntk(4.0)),
    "rotary(width=6, scaling=ntk(2.0))": oracles.rotary(10000.0, 6, oracles.ntk(2.0)),
    "rotary(scaling=yarn(4.0, 2048))": oracles.rotary(
        10000.0, None, oracles.yarn(4.0, 2048)
    ),
    "rotary(scaling=yarn(8.0, 512, slow=2.0, fast=16.0))": oracles.rotary(
        10000.0, None, oracles.yarn(8.0, 512, 2.0, 16.0)
    ),
}


def tokens(width=WIDTH):
    return Draw().normal(len(POSITIONS), width)


def by_token(oracle, x):
    pairs = zip(x.astype(np.float64), POSITIONS, strict=True)
    return np.array([oracle(row, int(position)) for row, position in pairs])


@pytest.mark.parametrize("notation", [*EMBEDDED, *ROTATED])
def test_equals_its_oracle(notation):
    position, x = attn.parse(notation), tokens()
    oracle = {**EMBEDDED, **ROTATED}[notation]
    call = position.embed if notation in EMBEDDED else position.rotate
    expected = by_token(oracle, x)
    with jax.enable_x64(True):
        got = call(jnp.asarray(x, "float64"), jnp.asarray(POSITIONS))
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)
    got = jax.jit(call)(jnp.asarray(x), jnp.asarray(POSITIONS))
    np.testing.assert_allclose(got, expected, atol=2e-3)  # angles of 4095 in float32
    np.testing.assert_allclose(got[:5], expected[:5], atol=5e-5)
    assert attn.parse(repr(position)) == position


def test_learned_adds_its_row_and_knows_its_length():
    table = Draw().normal(6, WIDTH)
    position, x = attn.learned(table=table), tokens()[:3]
    got = position.embed(jnp.asarray(x), jnp.array([0, 5, 2]))
    np.testing.assert_allclose(got, x + table[[0, 5, 2]], rtol=1e-6)
    outside = position.embed(jnp.asarray(x), jnp.array([6, -1, 0]))
    np.testing.assert_array_equal(np.isnan(outside).all(1), [True, True, False])
    wanted = attn.learned.sized(6, WIDTH).parameters(2)
    assert {name: p.shape for name, p in wanted.items()} == {"table": (6, WIDTH)}


def test_none_does_nothing():
    x = jnp.asarray(tokens())
    assert attn.none.embed(x, POSITIONS) is x
    assert attn.none.rotate(x, POSITIONS) is x


@pytest.mark.parametrize("notation", ROTATED)
@pytest.mark.parametrize("shift", [1, 1000, 100_000])
def test_rotary_logits_depend_on_the_distance_only(notation, shift):
    position, x = attn.parse(notation), jnp.asarray(tokens())
    near = jnp.arange(len(x))
    one, other = (position.rotate(x, near + s) for s in (0, shift))
    drift = np.abs(one @ one.T - other @ other.T).max()
    # float32 angles near `shift` are off by half of its spacing, for each of the two.
    assert drift < 3e-5 + 4 * np.spacing(np.float32(shift)) * float(jnp.sum(x**2))


def test_bfloat16_rotates_with_angles_of_float32():
    """Angles in bfloat16 would be off by whole turns at position 4095."""
    x = jnp.asarray(tokens(), "bfloat16")
    got = attn.rotary.rotate(x, jnp.asarray(POSITIONS))
    expected = by_token(oracles.rotary(10000.0), np.asarray(x, np.float64))
    assert got.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(got, np.float64), expected, atol=2e-2)


def test_partial_rotary_leaves_the_rest_alone():
    x = jnp.asarray(tokens())
    got = attn.rotary(width=4).rotate(x, jnp.asarray(POSITIONS))
    np.testing.assert_array_equal(got[:, 4:], x[:, 4:])
    assert (np.asarray(got[1:, :4]) != x[1:, :4]).any()


def test_a_learned_base_and_a_base_per_head():
    x = jnp.asarray(Draw().normal(1, 4, 2, WIDTH))
    bases = jnp.array([100.0, 10000.0])
    got = rotate_heads(attn.rotary(base=attn.per_head(bases)), x)
    for head in range(2):
        piece = attn.rotary(base=float(bases[head]))
        expected = piece.rotate(x[0, :, head], jnp.arange(4))
        np.testing.assert_allclose(got[0, :, head], expected, rtol=1e-5, atol=1e-6)
    slope = jax.grad(
        lambda base: jnp.sum(attn.rotary(base=base).rotate(x[0, :, 0], jnp.arange(4)))
    )(jnp.float32(100.0))
    assert np.isfinite(slope)
    assert slope != 0


def test_a_base_of_64_bits_is_the_same_as_a_number():
    with jax.enable_x64(True):
        x, far = jnp.asarray(tokens(), "float64"), jnp.asarray(POSITIONS) + 10_000
        got = attn.rotary(base=jnp.float64(10000.0)).rotate(x, far)
        np.testing.assert_allclose(got, attn.rotary.rotate(x, far), atol=1e-11)


@pytest.mark.parametrize("factor", [0.5, 4.0])
def test_yarn_takes_its_numbers_as_data(factor):
    x, positions = jnp.asarray(tokens()), jnp.asarray(POSITIONS)

    @jax.jit
    def turn(*numbers):
        return attn.rotary(scaling=attn.yarn(*numbers)).rotate(x, positions)

    expected = turn.__wrapped__(factor, 64, 1.0, 32.0)
    found = turn(*map(jnp.float32, (factor, 64, 1.0, 32.0)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    each = attn.yarn(attn.per_head([factor, 1.0]), 64, slow=attn.per_head([1.0, 2.0]))
    heads = jnp.stack([x, x], axis=1)[None]
    found = rotate_heads(attn.rotary(scaling=each), heads, positions)[0, :, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_positions_are_data():
    x = jnp.asarray(Draw().normal(2, 4, 3, WIDTH))
    positions = jnp.array([[0, 1, 0, 1], [4, 5, 6, 7]])
    got = rotate_heads(attn.rotary, x, positions)
    for b in range(2):
        expected = rotate_heads(attn.rotary, x[b : b + 1], positions[b])
        np.testing.assert_array_equal(got[b], expected[0])
    added = embed_positions(attn.sinusoidal, x[:, :, 0], positions)
    np.testing.assert_allclose(
        added[1], attn.sinusoidal.embed(x[1, :, 0], positions[1]), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"`positions` must be \[T\] or \[B, T\]"):
        rotate_heads(attn.rotary, x, jnp.arange(5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.rotary(width=3), "rotary: `width` must be an even number"),
        (lambda: attn.rotary(width=0), "rotary: `width` must be an even number"),
        (lambda: attn.rotary(base=0), "rotary: `base` must be a number above 1"),
        (lambda: attn.rotary(scaling=2.0), "rotary: `scaling` must be linear(factor)"),
        (lambda: attn.linear(0), "linear: `factor` must be a number above 0"),
        (lambda: attn.ntk(-1.0), "ntk: `factor` must be a number above 0"),
        (lambda: attn.yarn(4.0, 0), "yarn: `context` must be a number above 0"),
        (lambda: attn.yarn(4.0, 64, slow=9, fast=3), "yarn: `slow` must be below"),
        (lambda: attn.sinusoidal(base=1), "sinusoidal: `base` must be a number above"),
        (lambda: attn.learned.parameters(1), "learned: the size of the table is unk"),
        (lambda: attn.learned(size=128), "`size` must be (context, width), two whole"),
        (lambda: attn.learned(size=(8, 0)), "at least 1, got (8, 0)."),
        (lambda: attn.learned(size=[8, 4]), "at least 1, got [8, 4]."),
        (lambda: attn.learned(table=3), "`table` must be an array [context, D], got 3"),
        (lambda: attn.learned(table=[1.0]), "`table` must be [context, D], got (1,)."),
        (
            lambda: attn.rotary(width=12).rotate(jnp.ones((2, 8)), jnp.arange(2)),
            "rotary: the width to turn must be even and at most H=8, got 12",
        ),
        (
            lambda: attn.rotary.rotate(jnp.ones((2, 7)), jnp.arange(2)),
            "rotary: the width to turn must be even and at most H=7, got 7",
        ),
        (
            lambda: attn.learned.embed(jnp.ones((2, 7)), jnp.arange(2)),
            "learned: `table` is to be learned and has no value yet",
        ),
        (
            lambda: attn.learned(table=[[1.0]]).embed(jnp.ones((2, 7)), jnp.arange(2)),
            "learned: `table` must be [context, D] with D=7, got (1, 1)",
        ),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        make()
    assert message in str(caught.value)
