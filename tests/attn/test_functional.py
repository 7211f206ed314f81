"""Each layer function against its definition in float64 NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import attn
from attn import functional

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 5, 7))
SCALE, BIAS = RNG.standard_normal(7), RNG.standard_normal(7)
KERNEL, KERNEL_BIAS = RNG.standard_normal((7, 11)), RNG.standard_normal(11)
GATE = RNG.standard_normal((2, 5, 7))


def erf(x):
    return np.vectorize(math.erf)(x)


ORACLES = {
    "linear": (
        lambda x: functional.linear(x, f32(KERNEL), f32(KERNEL_BIAS)),
        lambda x: x @ KERNEL + KERNEL_BIAS,
    ),
    "linear without bias": (
        lambda x: functional.linear(x, f32(KERNEL)),
        lambda x: x @ KERNEL,
    ),
    "unembed": (
        lambda x: functional.unembed(f32(KERNEL.T), x),
        lambda x: x @ KERNEL,
    ),
    "layer_norm": (
        lambda x: functional.layer_norm(x, f32(SCALE), f32(BIAS)),
        lambda x: (
            (x - x.mean(-1, keepdims=True))
            / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
            * SCALE
            + BIAS
        ),
    ),
    "rms_norm": (
        lambda x: functional.rms_norm(x, f32(SCALE)),
        lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * SCALE,
    ),
    "rms_norm without scale": (
        functional.rms_norm,
        lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6),
    ),
    "gelu": (functional.gelu, lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2)))),
    "relu": (functional.relu, lambda x: np.where(x > 0, x, 0)),
    "relu2": (functional.relu2, lambda x: np.where(x > 0, x, 0) ** 2),
    "silu": (functional.silu, lambda x: x / (1 + np.exp(-x))),
    "gated": (
        lambda x: functional.gated(f32(GATE), x, functional.relu),
        lambda x: np.maximum(GATE, 0) * x,
    ),
    "softcap": (
        lambda x: functional.softcap(x, 1.5),
        lambda x: 1.5 * np.tanh(x / 1.5),
    ),
    "no softcap": (lambda x: functional.softcap(x, None), lambda x: x),
    "heads": (
        lambda x: functional.merge_heads(functional.split_heads(x, 7)),
        lambda x: x,
    ),
}


def f32(x):
    return jnp.asarray(x, jnp.float32)


@pytest.mark.parametrize("name", ORACLES)
def test_equals_its_definition(name):
    function, oracle = ORACLES[name]
    for transform in (lambda f: f, jax.jit):
        actual = transform(function)(f32(X))
        np.testing.assert_allclose(actual, oracle(X), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["linear", "layer_norm", "rms_norm", "gelu"])
def test_gradients(name):
    check_grads(ORACLES[name][0], (f32(X),), order=1, modes=["rev"], rtol=2e-2)


@pytest.mark.parametrize(
    "name", ["linear", "layer_norm", "rms_norm", "gelu", "relu2", "softcap"]
)
def test_keeps_bfloat16(name):
    assert ORACLES[name][0](f32(X)[0].astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_logits_stay_wide_when_layers_compute_in_bfloat16():
    narrow = jnp.ones((3, 7), jnp.bfloat16)
    assert functional.unembed(narrow, narrow).dtype == jnp.float32


def test_float64_is_summed_in_float64_and_may_be_summed_otherwise():
    with jax.enable_x64(True):
        x, kernel, bias = map(jnp.asarray, (X, KERNEL, KERNEL_BIAS))
        mapped = jax.jit(functional.linear)(x, kernel, bias)
        scored = jax.jit(functional.unembed)(kernel.T, x)
        narrow = functional.unembed(kernel.T, x, accumulate=jnp.float32)
    assert (mapped.dtype, scored.dtype) == (jnp.float64, jnp.float64)
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(mapped, X @ KERNEL + KERNEL_BIAS, rtol=1e-12)
    np.testing.assert_allclose(scored, X @ KERNEL, rtol=1e-12)


def test_embed_reads_rows_and_shows_a_token_outside_the_vocabulary():
    table = f32(KERNEL)
    rows = functional.embed(table, jnp.array([[3, 0], [6, 3]]))
    np.testing.assert_array_equal(rows[0, 0], table[3])
    for transform in (lambda f: f, jax.jit):
        outside = transform(functional.embed)(table, jnp.array([7, -1, -7, -8]))
        assert np.isnan(outside).all()


def test_a_token_of_64_bits_is_not_taken_for_another():
    """2^32 + 1 would be 1 in 32 bits, with the table of a position too."""
    table, far = f32(KERNEL), np.array([1, 2**32 + 1, -(2**32) + 1])
    position = attn.learned(table=table)
    with jax.enable_x64(True):
        rows = [functional.embed(table, x) for x in (far, jnp.asarray(far))]
        rows.append(functional.embed(table, jnp.asarray(far, jnp.uint64)))
        rows.append(position.embed(jnp.zeros((3, 11)), jnp.asarray(far)))
    for each in (*rows, functional.embed(table, far)):
        np.testing.assert_array_equal(each[0], table[1])
        assert np.isnan(each[1:]).all()


def test_the_gradient_of_embed_counts_how_often_a_row_was_read():
    tokens = jnp.array([[3, 0], [6, 3]])
    found = jax.grad(lambda table: functional.embed(table, tokens).sum())(f32(KERNEL))
    expected = np.bincount(tokens.ravel(), minlength=7)[:, None].repeat(11, 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pool", ["mean_pool", "first_pool", "max_pool"])
def test_a_pool_of_nothing_is_zero_and_moves_nothing(pool):
    pool = getattr(functional, pool)
    present = jnp.array([[False] * 5, [False, True, True, False, True]])
    pooled, pull = jax.vjp(lambda x: pool(x, present), f32(X))
    (gradient,) = pull(jnp.ones_like(pooled))
    assert (pooled[0] == 0).all()
    assert (gradient[0] == 0).all()
    assert (pooled[1] != 0).all()
    assert (gradient[1, [0, 3]] == 0).all()
    no_rows = pool(jnp.zeros((2, 0, 7)), jnp.zeros((2, 0), bool))
    np.testing.assert_array_equal(no_rows, np.zeros((2, 7)))


def test_split_heads_puts_neighbouring_features_into_one_head():
    x = f32(np.arange(12).reshape(1, 12))
    np.testing.assert_array_equal(functional.split_heads(x, 3)[0, 1], [4, 5, 6, 7])


def test_dropout_keeps_its_rate_and_its_mean():
    x = jnp.ones(100_003)
    dropped = functional.dropout(x, 0.3, jax.random.key(0))
    kept = np.asarray(dropped != 0).mean()
    assert abs(kept - 0.7) < 5 * np.sqrt(0.3 * 0.7 / x.size)
    np.testing.assert_allclose(dropped.max(), 1 / 0.7, rtol=1e-6)
    assert functional.dropout(x, 0.3, None) is x
    assert functional.dropout(x, 0.0, jax.random.key(0)) is x


@pytest.mark.parametrize("inputs", [512, 1024])
def test_linear_widened_for_the_cache_is_the_same_product(inputs):
    rows, kernel = RNG.standard_normal((6, inputs)), RNG.standard_normal((inputs, 3))
    calls = (functional.linear, lambda x, kernel: x @ kernel)
    ours, plain = (jax.vjp(call, f32(rows), f32(kernel)) for call in calls)
    np.testing.assert_allclose(ours[0], rows @ kernel, rtol=1e-4, atol=1e-4)
    for got, expected in zip(
        *(pull(ours[0]) for _, pull in (ours, plain)), strict=True
    ):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_linear_says_how_wide_its_input_must_be():
    with pytest.raises(ValueError, match=r"^linear: `x` must be .* D=7, got \(2, 5\)"):
        functional.linear(jnp.ones((2, 5)), f32(KERNEL))


def test_gelu_has_a_second_derivative():
    # d2/dx2 x Phi(x) = (2 - x^2) phi(x), with the normal density phi.
    x = np.linspace(-3, 3, 13)
    second = jax.vmap(jax.grad(jax.grad(functional.gelu)))(f32(x))
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(second, (2 - x**2) * density, atol=1e-6)
