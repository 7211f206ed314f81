"""Normalizers are monoids over key blocks: neutral, associative, split as you like."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn
from attn import numerics
from tests.cases import NORMALIZERS, Draw

MERGEABLE = [c for c in NORMALIZERS if c.piece().mergeable]
IDS = [c.name for c in MERGEABLE]
ROWS = 3
quick = settings(max_examples=25, deadline=None, derandomize=True)
cuts = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**16))
by_case = pytest.mark.parametrize("case", MERGEABLE, ids=IDS)


def block(width, seed):
    """Logits up to +-30 and a mask that hides a third, row 0 entirely."""
    random = np.random.default_rng(seed)
    logits = (random.normal(size=(ROWS, width)) * 10).clip(-30, 30)
    allowed = random.random((ROWS, width)) < 0.67
    allowed[0] = False
    return logits, allowed


def same_state(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-300)


@by_case
@quick
@given(cuts)
def test_zero_is_neutral_and_merge_is_associative(case, cut):
    with jax.enable_x64(True):
        normalizer = case.piece()
        a, b, c = (
            normalizer.lift(*map(jnp.asarray, block(n, cut[2] + i)))[1]
            for i, n in enumerate((cut[0], 2, cut[1]))
        )
        zero = normalizer.zero(ROWS, jnp.dtype("float64"))
        merge = lambda x, y: normalizer.merge(x, y)[0]  # noqa: E731
        same_state(merge(zero, a), a)
        same_state(merge(a, zero), a)
        same_state(merge(merge(a, b), c), merge(a, merge(b, c)))
        if not normalizer.ordered:
            same_state(merge(a, b), merge(b, a))


@by_case
@quick
@given(cuts)
def test_two_halves_merged_are_the_whole(case, cut):
    with jax.enable_x64(True):
        normalizer = case.piece()
        logits, allowed = map(jnp.asarray, block(cut[0] + cut[1], cut[2]))
        parts = [slice(None, cut[0]), slice(cut[0], None)]
        (left, a), (right, b) = (
            normalizer.lift(logits[:, p], allowed[:, p]) for p in parts
        )
        state, by_left, by_right = normalizer.merge(a, b)
        gain = normalizer.close(state)[:, None]
        joined = [left * by_left[:, None] * gain, right * by_right[:, None] * gain]
        whole = normalizer.weights(logits, allowed)
        np.testing.assert_allclose(
            jnp.concatenate(joined, 1), whole, rtol=1e-12, atol=1e-15
        )
        assert not np.asarray(whole)[~np.asarray(allowed)].any()


@by_case
def test_a_block_of_hidden_keys_is_zero(case):
    normalizer = case.piece()
    logits = jnp.array([[3.0, -2.0], [np.nan, np.inf]])
    weights, state = normalizer.lift(logits, jnp.zeros((2, 2), bool))
    assert not np.asarray(weights).any()
    same_state(state, normalizer.zero(2, jnp.dtype("float32")))
    assert not np.asarray(weights * normalizer.close(state)[:, None]).any()


def test_stick_breaking_is_ordered():
    """The law that would fail if `ordered` were wrong: left and right are not equal."""
    normalizer = attn.stick_breaking
    logits = jnp.array([[0.5, -1.0]])
    (_, a), (_, b) = (normalizer.lift(logits[:, i : i + 1], None) for i in (0, 1))
    assert normalizer.ordered
    assert float(normalizer.merge(a, b)[1][0]) != float(normalizer.merge(b, a)[1][0])


@pytest.mark.parametrize("case", NORMALIZERS, ids=[c.name for c in NORMALIZERS])
@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0, 1e4])
def test_weights_are_finite_at_every_scale_of_logits(case, size):
    """Softmax weights reach 1; nothing overflows, forward or backward."""
    draw = Draw()
    logits = jnp.asarray(draw.normal(4, 6)) * size
    weights, pull = jax.vjp(case.piece().weights, logits)
    assert np.isfinite(weights).all()
    assert np.isfinite(pull(jnp.cos(weights))[0]).all()
    if case.name in ("softmax", "entmax", "sparsemax", "entmax(alpha=1.25)"):
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)


def test_a_sink_of_any_size_is_safe():
    logits = jnp.array([[1.0, 2.0], [-300.0, -300.0]])
    for sink, left in ((-1e4, [1, 1]), (0.0, [0.909, 0]), (1e4, [0, 0])):
        weights = attn.softmax(sink=sink).weights(logits)
        np.testing.assert_allclose(weights.sum(-1), left, atol=2e-3)
        gradient = jax.grad(lambda s: attn.softmax(sink=s).weights(logits)[0, 0])(sink)
        assert np.isfinite(gradient)


def test_softmax_one_is_softmax_with_a_sink_of_zero():
    logits = jnp.asarray(Draw().normal(3, 5))
    np.testing.assert_array_equal(
        attn.softmax_one.weights(logits), attn.softmax(sink=0.0).weights(logits)
    )


def test_entmax_lies_between_softmax_and_sparsemax():
    logits = jnp.asarray(Draw().normal(50, 9)) * 2
    zeros = [
        int((piece.weights(logits) == 0).sum())
        for piece in (attn.softmax, attn.entmax(alpha=1.2), attn.entmax, attn.sparsemax)
    ]
    assert zeros[0] == 0 < zeros[1] < zeros[2] < zeros[3]


def test_entmax_second_derivative_equals_differences():
    with jax.enable_x64(True):
        logits = jnp.asarray(Draw().normal(2, 5), "float64")
        f = lambda x: jnp.sum(jnp.sin(3 * numerics.entmax(x, 1.5)))  # noqa: E731
        step = jnp.asarray(Draw(seed=1).normal(2, 5), "float64")
        _, along = jax.jvp(jax.grad(f), (logits,), (step,))
        ahead, behind = (jax.grad(f)(logits + h * step) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(along, (ahead - behind) / 2e-6, atol=1e-7)


def test_log_sum_exp_of_logits_near_the_largest_number():
    big = jnp.array([[3e38, 3e38], [-3e38, -3e38], [-jnp.inf, -jnp.inf]])
    np.testing.assert_allclose(numerics.log_sum_exp(big), big[:, 0], rtol=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 4.0])
def test_entmax_of_logits_near_the_largest_number(alpha):
    big = jnp.array([[3e38, 3e38, -3e38], [-3e38] * 3, [3e38, -jnp.inf, 0]])
    expected = [[0.5, 0.5, 0], [1 / 3] * 3, [1, 0, 0]]
    np.testing.assert_allclose(numerics.entmax(big, alpha), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attn.softmax(sink="big"), "softmax: `sink` must be a finite number"),
        (lambda: attn.softmax(sink=float("inf")), "softmax: `sink` must be a finite"),
        (lambda: attn.sigmoid(bias=None), "sigmoid: `bias` must be a finite number"),
        (lambda: attn.entmax(alpha=1.0), "entmax: `alpha` must be a number above 1"),
        (lambda: attn.entmax(alpha="2"), "entmax: `alpha` must be a number above 1"),
        (lambda: attn.sparsemax(alpha=1.5), "sparsemax: takes no alpha, got 1.5; use"),
        (
            lambda: attn.softmax(sink="learned").weights(jnp.ones((2, 2))),
            "softmax: `sink` is to be learned and has no value yet",
        ),
    ],
)
def test_bad_arguments_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()
