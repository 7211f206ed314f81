"""The short convolution against loops in float64, and what must not pass through it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from attn.convolution import short_convolution

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 7, 3))
TAPS = RNG.standard_normal((4, 3))
SEGMENT = np.array([[0, 0, 1, 1, 1, 1, 2], [3, 3, 3, 3, 3, 0, 0]])


def oracle(x, taps, segment):
    out = x.copy()
    for b, t in np.ndindex(x.shape[:2]):
        for j in range(min(len(taps), t + 1)):
            if segment[b, t] == segment[b, t - j]:
                out[b, t] += taps[j] * x[b, t - j]
    return out


@pytest.mark.parametrize("taps", [1, 2, 4, 9])
@pytest.mark.parametrize("segment", [None, SEGMENT, SEGMENT[0]])
def test_it_is_its_definition(taps, segment):
    weights = RNG.standard_normal((taps, 3))
    got = short_convolution(jnp.float32(X), jnp.float32(weights), segment)
    documents = np.zeros((2, 7)) if segment is None else segment
    want = oracle(X, weights, np.broadcast_to(documents, (2, 7)))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    call = lambda x, taps: short_convolution(x, taps, SEGMENT)  # noqa: E731
    with jax.enable_x64(True):
        check_grads(call, (X, TAPS), order=2, modes=("fwd", "rev"))


def test_nothing_of_another_document_passes():
    spoilt = np.where(SEGMENT[..., None] == 1, np.nan, X)
    got = short_convolution(jnp.asarray(spoilt), jnp.asarray(TAPS), SEGMENT)
    assert (np.isnan(got).all(-1) == (SEGMENT == 1)).all()

    def loss(x, taps):
        out = short_convolution(x, taps, SEGMENT)
        return jnp.where(SEGMENT[..., None] == 1, 0.0, out).sum()

    of_x = jax.grad(loss)(jnp.asarray(X), jnp.asarray(TAPS))
    assert (np.asarray(of_x)[SEGMENT == 1] == 0).all()


def test_it_keeps_the_dtype():
    got = short_convolution(jnp.bfloat16(X), jnp.float32(TAPS))
    assert got.dtype == jnp.bfloat16


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_sums_of_narrow_numbers_are_wide(dtype):
    """Above all that of a tap's gradient, over every token of the batch."""
    draw = np.random.default_rng(1)
    x, push = (jnp.asarray(draw.normal(size=(4, 256, 8)), dtype) for _ in range(2))
    taps = jnp.asarray(draw.normal(size=(3, 8)), dtype)
    got = jax.vjp(short_convolution, x, taps)[1](push)[1]
    wide, pushed = (np.asarray(a, np.float64) for a in (x, push))
    sums = [(pushed[:, j:] * wide[:, : 256 - j]).sum((0, 1)) for j in range(3)]
    np.testing.assert_allclose(
        np.asarray(got, np.float64), sums, rtol=float(jnp.finfo(dtype).eps), atol=1e-3
    )


ONES = jnp.ones((2, 7, 3))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((ONES[0, 0], ONES[0]), "`x` must be [..., T, D], got (3,)."),
        ((ONES, ONES[0, 0]), "`taps` must be [W, D] with W at least 1 and D=3, got "
            "(3,)."),
        ((ONES, ONES[0, :, :1]), "`taps` must be [W, D] with W at least 1 and D=3, got "
            "(7, 1)."),
        ((ONES, ONES[0], SEGMENT[0, :5]), "`segment` must be [..., T] = [2, 7] or what "
            "broadcasts to it, with all T, got (5,)."),
        ((ONES[0], ONES[0], SEGMENT), "`segment` must be [..., T] = [7] or what "
            "broadcasts to it, with all T, got (2, 7)."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_line(arrays, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        short_convolution(*arrays)
    assert str(caught.value) == "short_convolution: " + message
