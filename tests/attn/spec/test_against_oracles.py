"""Every row of the table, dense, against its float64 NumPy oracle."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from tests import oracles
from tests.cases import CASES, DEFAULTS, IDS, Draw, where

E = 3  # value width, unlike every other size
PROBES = ("weights", "log_sum_exp")
SIZES = {"fewer queries": (5, 11), "one key": (2, 1)}


def call(case, t, s, dtype):
    draw = Draw(t, s)
    piece, oracle = case.build(draw)
    arrays = draw.normal(t, draw.h), draw.normal(s, draw.h), draw.normal(s, E)
    at, data = where(draw)
    parts = {**DEFAULTS, case.kind: oracle}
    expected = oracles.attend(*arrays, **parts, where=data)
    return piece, [jnp.asarray(x, dtype) for x in arrays], at, expected


def rms(x):
    return np.sqrt(np.mean(np.square(np.asarray(x, np.float64))))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_float64_within_rounding(case, size):
    with jax.enable_x64(True):
        piece, arrays, at, expected = call(case, *SIZES[size], "float64")
        got = attn.attend(piece, *arrays, at=at, probes=PROBES, backend="dense")
    close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
    close(got.value, expected.output)
    close(got.aux["weights"], expected.weights)
    close(got.aux["log_sum_exp"], expected.log_sum_exp)
    assert got.value.dtype == np.float64


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_jitted_in_low_precision_is_near(case, dtype):
    piece, arrays, at, _ = call(case, 7, 7, dtype)
    rounded = [np.asarray(x, np.float64) for x in arrays]
    draw = Draw(7, 7)
    parts = {**DEFAULTS, case.kind: case.build(draw)[1]}
    expected = oracles.attend(*rounded, **parts, where=where(draw)[1])
    got = jitted(piece, *arrays, at=at)
    assert got.value.dtype == jnp.dtype(dtype)
    # Sums run in float32: what is left is one rounding of the output to its dtype.
    steps = {"float32": 16, "bfloat16": 1}[dtype]
    bound = steps * float(jnp.finfo(dtype).eps) * max(rms(expected.output), 0.1)
    assert rms(np.asarray(got.value, np.float64) - expected.output) < bound


jitted = jax.jit(functools.partial(attn.attend, backend="dense"))


def test_an_oracle_that_differs_is_noticed():
    """The comparison above can fail: a window one key too wide is seen."""
    draw = Draw()
    arrays = draw.normal(7, 5), draw.normal(7, 5), draw.normal(7, E)
    wrong = {**DEFAULTS, "mask": oracles.window(back=3)}
    expected = oracles.attend(*arrays, **wrong).output
    got = attn.attend(attn.window(back=2), *map(jnp.asarray, arrays)).value
    assert rms(got - expected) > 1e-3
