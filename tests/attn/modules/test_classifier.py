"""The classifier: poolings against NumPy, padding, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn import functional
from attn.modules import Classifier, Precision
from attn.modules.pooling import POOLINGS

B, T, V, C = 3, 7, 11, 5
SMALL = {"vocabulary": V, "context": T, "classes": C, "layers": 1, "heads": 2}
SMALL |= {"width": 12, "init_std": 0.3}
PRESENT = jnp.arange(T)[None] < jnp.array([2, 7, 5])[:, None]
PADDED = attn.at(segment=PRESENT.astype(jnp.int32))


def made(**options):
    return Classifier(**{**SMALL, **options}, rngs=nnx.Rngs(0))


TOKENS = jax.random.randint(jax.random.key(0), (B, T), 0, V)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_has_no_influence_at_all(pooling):
    model = made(pooling=pooling)
    other = jnp.where(PRESENT, TOKENS, (TOKENS + 3) % V)
    before = model(TOKENS, at=PADDED)
    assert before.shape == (B, C)
    np.testing.assert_array_equal(before, model(other, at=PADDED))
    assert np.abs(before - model(other)).max() > 1e-5
    short = model(TOKENS[:1, :2])
    np.testing.assert_allclose(before[:1], short, rtol=1e-5, atol=1e-6)


def test_padding_may_be_said_by_per_batch():
    model, segment = made(), PADDED.key["segment"]
    said = model(TOKENS, at=attn.at(segment=attn.per_batch(segment)))
    np.testing.assert_array_equal(said, model(TOKENS, at=PADDED))
    each = attn.per_head(jnp.ones((2, T), jnp.int32))
    with pytest.raises(ValueError, match="all heads share; got per_head, give"):
        model(TOKENS, at=attn.at(segment=each))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_reach_every_parameter(pooling):
    graph, params = nnx.split(made(pooling=pooling))

    def loss(params):
        logits = nnx.merge(graph, params)(TOKENS, at=PADDED)
        return -jax.nn.log_softmax(logits)[:, 3].mean()

    gradient = jax.jit(jax.grad(loss))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


def test_poolings_equal_numpy():
    x = jax.random.normal(jax.random.key(1), (B, T, 3))
    present = PRESENT.at[0].set(jnp.arange(T) >= 4)  # it may begin late
    rows = [np.asarray(x)[b, np.asarray(present)[b]] for b in range(B)]
    mean, first, largest = (
        np.asarray(pool(x, present))
        for pool in (functional.mean_pool, functional.first_pool, functional.max_pool)
    )
    np.testing.assert_allclose(mean, [r.mean(0) for r in rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(first, [r[0] for r in rows])
    np.testing.assert_array_equal(largest, [r.max(0) for r in rows])


@pytest.mark.parametrize("pool", [functional.mean_pool, functional.max_pool])
def test_a_text_of_padding_alone_pools_to_zeros(pool):
    x = jnp.ones((1, T, 3), jnp.bfloat16)
    pooled = pool(x, jnp.zeros((1, T), bool))
    assert pooled.dtype == jnp.bfloat16
    np.testing.assert_array_equal(pooled.astype(jnp.float32), np.zeros((1, 3)))


def test_the_largest_of_a_nan_is_a_nan():
    x = jnp.zeros((1, 64, 64)).at[0, 32, 3].set(jnp.nan)
    pooled = jax.jit(functional.max_pool)(x, jnp.ones((1, 64), bool))
    np.testing.assert_array_equal(np.isnan(pooled[0]), np.arange(64) == 3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_computes_in_bfloat16_and_scores_in_float32(pooling):
    model = made(precision=Precision(compute="bfloat16"), pooling=pooling)
    logits = model(TOKENS, at=PADDED, rng=jax.random.key(0))
    assert logits.dtype == jnp.float32
    wide = made(pooling=pooling)(TOKENS, at=PADDED)
    assert np.abs(logits - wide).max() < 0.1 * np.abs(wide).max() + 0.05
