"""Dropout is a function of (rng, query position, key position) with good statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from tests.cases import Draw

SIZE = 256


def draw(rng, rate=0.3, rows=SIZE, cols=SIZE, row=0, col=0):
    rows, cols = (jnp.arange(n, dtype=jnp.int32) for n in (rows, cols))
    kept = attn.dropout(rate).keep(rng, rows[:, None] + row, cols[None] + col)
    return np.asarray(kept)


def agreement(one, other):
    """How many standard deviations the agreement of two draws is from chance."""
    rate = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    spread = np.sqrt(rate * (1 - rate) / one.size)
    return abs((one == other).mean() - rate) / spread


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_keep_rate(rate):
    kept = draw(jax.random.key(0), rate)
    spread = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) < 4.5 * spread
    # No row and no column is special.
    for axis in (0, 1):
        deviation = np.abs(kept.mean(axis) - (1 - rate)).max()
        assert deviation < 5 * spread * np.sqrt(SIZE)


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_keys_and_shifts_are_independent(seed):
    rng = jax.random.key(seed)
    kept = draw(rng)
    others = {
        "next key": np.roll(kept, 1, axis=1),
        "next query": np.roll(kept, 1, axis=0),
        "diagonal": np.roll(kept, (1, 1), axis=(0, 1)),
        "transposed": kept.T,
        "block": np.roll(kept, 64, axis=1),
        "next seed": draw(jax.random.key(seed + 1)),
        "fold": draw(jax.random.fold_in(rng, 1)),
        "split": draw(jax.random.split(rng)[1]),
    }
    for name, other in others.items():
        if name == "transposed":
            low = np.tril_indices(SIZE, -1)
            assert agreement(kept[low], other[low]) < 5, name
        else:
            assert agreement(kept, other) < 5, name


def test_sums_over_squares_have_the_variance_of_independent_draws():
    """A linear hash passes the tests above and fails this one."""
    kept = draw(jax.random.key(1), 0.5) * 2.0 - 1
    parity = kept[0::2, 0::2] * kept[1::2, 0::2] * kept[0::2, 1::2] * kept[1::2, 1::2]
    assert abs(parity.mean()) * np.sqrt(parity.size) < 4.5
    far = kept[:128, :128] * kept[128:, :128] * kept[:128, 128:] * kept[128:, 128:]
    assert abs(far.mean()) * np.sqrt(far.size) < 4.5


def test_a_tile_draws_what_the_whole_draws():
    rng = jax.random.key(2)
    whole = draw(rng)
    tile = draw(rng, rows=40, cols=50, row=100, col=150)
    np.testing.assert_array_equal(tile, whole[100:140, 150:200])


def test_raw_and_typed_keys_draw_the_same():
    typed = jax.random.key(3)
    np.testing.assert_array_equal(draw(typed), draw(jax.random.key_data(typed)))
    assert draw(jax.random.key(3, impl="rbg")).mean() > 0.6


def test_output_is_dropped_weights_times_values():
    d = Draw(7, 7)
    query, key, value = (jnp.asarray(d.normal(7, 5)) for _ in range(3))
    rng, spec = jax.random.key(4), attn.parse("causal, dropout(0.4)")
    weights = attn.attend(attn.causal, query, key, value, probes=("weights",))
    kept = draw(rng, 0.4, 7, 7)
    expected = np.where(kept, weights.aux["weights"] / 0.6, 0) @ value
    got = attn.attend(spec, query, key, value, rng=rng, backend="dense").value
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    plain = attn.attend(spec, query, key, value, backend="dense").value
    np.testing.assert_allclose(plain, weights.value, rtol=1e-6)


def test_the_mean_over_draws_is_the_output_without_dropout():
    d = Draw(5, 5)
    query, key, value = (jnp.asarray(d.normal(5, 3)) for _ in range(3))
    rngs = jax.random.split(jax.random.key(5), 4000)
    spec = attn.parse("causal, dropout(0.3)")

    def one(rng):
        return attn.attend(spec, query, key, value, rng=rng, backend="dense").value

    outputs = np.asarray(jax.jit(jax.vmap(one))(rngs))
    expected = attn.attend(attn.causal, query, key, value, backend="dense").value
    spread = outputs.std(0) / np.sqrt(len(rngs))
    assert (np.abs(outputs.mean(0) - expected) < 4.5 * spread + 1e-6).all()


def test_heads_batch_and_steps_draw_independently():
    x = jnp.ones((3, 64, 4, 2))
    value = jnp.broadcast_to(jnp.eye(64)[None, :, None], (3, 64, 4, 64))

    def step(n):
        rng = jax.random.key(n)
        return attn.attend_heads(attn.dropout(0.5), x, x, value, rng=rng).value

    kept = np.moveaxis(np.asarray(jnp.stack([step(0), step(1)])) > 0, 3, 2)
    draws = kept.reshape(-1, 64 * 64)
    assert len(draws) == 2 * 3 * 4
    for i in range(len(draws)):
        assert abs(draws[i].mean() - 0.5) < 5 * 0.5 / 64
        for j in range(i):
            assert agreement(draws[i], draws[j]) < 5


def test_positions_decide_the_draw():
    x = jnp.ones((4, 2))
    rng, spec = jax.random.key(6), attn.dropout(0.5)
    value = jnp.eye(4)
    run = lambda at: attn.attend(spec, x, x, value, at=at, rng=rng).value  # noqa: E731
    plain, moved = run(None), run(attn.at(positions=jnp.arange(4) + 9))
    assert (np.asarray(plain) != np.asarray(moved)).any()
    rows = attn.attend(
        spec, x[2:], x, value, at=attn.at(jnp.arange(2, 4)), rng=rng, backend="dense"
    ).value
    np.testing.assert_array_equal(rows, plain[2:])
