"""Probes by their definitions, from whole weights and logits in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from attn.backends.planner import Tiling
from tests.cases import Draw

MASS = ("mass(first(2))", "mass(window(back=1) & ~segments)")
NAMES = ("log_sum_exp", "entropy", "max_logit", "mean_distance", *MASS)
T, S = 7, 11
DRAW = Draw(T, S)
QUERY, KEY, VALUE = (jnp.asarray(DRAW.normal(n, 5)) for n in (T, S, S))
QUERY_POS = np.arange(T) + 4
SEGMENT = np.arange(S) // 6
AT = attn.at(
    jnp.asarray(QUERY_POS), query={"segment": SEGMENT[4:]}, key={"segment": SEGMENT}
)


def call(spec, probes, **options):
    return attn.attend(spec, QUERY, KEY, VALUE, at=AT, probes=probes, **options).aux


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
@pytest.mark.parametrize("normalizer", ["softmax", "softmax(sink=1.0)", "sigmoid"])
def test_probes_are_what_they_say(normalizer, backend):
    spec = f"causal & window(back=4), softcap(2), {normalizer}"
    whole = call(spec, ("weights", "logits"), backend="dense")
    weights, logits = (np.asarray(whole[x], np.float64) for x in ("weights", "logits"))
    distance = QUERY_POS[:, None] - np.arange(S)[None]
    allowed = (distance >= 0) & (distance <= 4)
    shown = np.where(allowed, logits, -np.inf)
    other = SEGMENT[4:, None] != SEGMENT[None]
    expected = {
        "log_sum_exp": np.log(np.exp(shown).sum(-1)),
        "entropy": -(weights * np.log(np.where(weights > 0, weights, 1))).sum(-1),
        "max_logit": shown.max(-1),
        "mean_distance": (weights * abs(distance)).sum(-1),
        MASS[0]: weights[:, :2].sum(-1),
        MASS[1]: (weights * (other & (distance <= 1))).sum(-1),
    }
    tiling = (
        {"tiling": Tiling(strip=0, rows=4, cols=3)} if backend == "blockwise" else {}
    )
    got = call(spec, NAMES, backend=backend, **tiling)
    assert set(got) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=3e-5, atol=3e-6, err_msg=name)


@pytest.mark.parametrize("backend", ["dense", "blockwise"])
def test_a_visible_nan_is_in_every_probe(backend):
    key = jnp.zeros((64, 5)).at[9, 0].set(jnp.nan)
    options = {"probes": ("log_sum_exp", "entropy", "max_logit"), "backend": backend}
    run = jax.jit(lambda query, key: attn.attend("causal", query, key, key, **options))
    for name, value in run(jnp.ones((64, 5)), key).aux.items():
        np.testing.assert_array_equal(np.isnan(value), np.arange(64) >= 9, name)


def test_log_sum_exp_is_differentiable_and_its_gradient_is_the_weights():
    def total(bias):
        spec = attn.bias(bias), attn.causal
        return jnp.sum(call(spec, ("log_sum_exp",), backend="dense")["log_sum_exp"])

    gradient = jax.grad(total)(jnp.zeros((T, S)))
    weights = call(attn.causal, ("weights",), backend="dense")["weights"]
    np.testing.assert_allclose(gradient, weights, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("entrop", "unknown probe `entrop`; one of log_sum_exp, entropy, max_logit"),
        ("mass(alibi)", r"the probe `mass\(alibi\)` wants a mask, for example"),
        ("mass(causl)", "unknown name `causl`; did you mean `causal`"),
        ("mass()", "expected a piece such as `causal`, got an empty text"),
    ],
)
def test_unknown_probes_are_refused(probe, message):
    with pytest.raises(ValueError, match=message):
        call(attn.causal, (probe,))
