"""Worked examples: numbers that anybody can check by hand, NumPy and torch."""

import jax.numpy as jnp
import numpy as np
import pytest

import attn

QUERY = jnp.array([[0.2, 0.1, 0.3]])
KEYS = jnp.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.1], [0.3, 0.1, 0.2]])
INPUT = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])


def test_one_query_and_three_keys():
    got = attn.attend(
        attn.everything, QUERY, KEYS, jnp.eye(3), probes=("logits", "weights")
    )
    weights = [[0.33525225, 0.32949551, 0.33525225]]
    np.testing.assert_allclose(
        got.aux["logits"], [[0.07505553, 0.05773503, 0.07505553]], rtol=1e-6
    )
    np.testing.assert_allclose(got.aux["weights"], weights, rtol=1e-6)
    np.testing.assert_allclose(got.value, weights, rtol=1e-6)


def step_by_step(x, by_query, by_key, by_value):
    """Vaswani et al. 2017, equation 1, one line a step."""
    query, key, value = x @ by_query, x @ by_key, x @ by_value
    logits = query @ key.T / np.sqrt(3)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return query, key, value, weights @ value


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_tokens_and_any_projections(seed):
    maps = np.random.default_rng(seed).normal(size=(3, 3, 3))
    query, key, value, expected = step_by_step(INPUT, *maps)
    arrays = [jnp.asarray(x, "float32") for x in (query, key, value)]
    got = attn.attend(attn.dot, *arrays).value
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_numpy_arrays_are_welcome():
    """NumPy makes float64 of everything; without x64 that is float32 to JAX."""
    maps = np.random.default_rng(0).normal(size=(3, 3, 3))
    query, key, value, expected = step_by_step(INPUT, *maps)
    got = attn.attend("dot", query, key, value).value
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_equals_torch():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(3)
    shapes = (2, 7, 6, 5), (2, 7, 3, 5), (2, 7, 3, 11)
    arrays = [random.normal(size=shape).astype("float32") for shape in shapes]
    heads_first = [torch.from_numpy(x).transpose(1, 2) for x in arrays]
    for spec, causal in ((attn.everything, False), (attn.causal, True)):
        expected = torch.nn.functional.scaled_dot_product_attention(
            *heads_first, is_causal=causal, enable_gqa=True
        ).transpose(1, 2)
        got = attn.attend_heads(spec, *map(jnp.asarray, arrays)).value
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5, atol=1e-6)
