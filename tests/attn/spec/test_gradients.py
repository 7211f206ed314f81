"""Gradients reach every array, are right, and are exactly 0 where a pair is hidden."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attn
from tests.cases import (
    LOGITS,
    MASKS,
    NORMALIZERS,
    SIMILARITIES,
    Draw,
    where,
)

E = 3
attend = functools.partial(attn.attend, backend="dense")


ROWS = [*SIMILARITIES, *LOGITS, *NORMALIZERS]
BY_NAME = {case.name: case for case in ROWS}


def inputs(draw, dtype="float32"):
    arrays = draw.normal(draw.t, draw.h), draw.normal(draw.s, draw.h)
    return [jnp.asarray(x, dtype) for x in (*arrays, draw.normal(draw.s, E))]


def is_float(leaf):
    return jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)


def _real(site):
    return site.query["real"] & site.key["real"]


class Run:
    """One compiled function a row serves every test of it: compiling is what costs.

    A causal head of 7 tokens, in float64. `__call__` gives the gradients by query, key,
    value and the piece's own arrays, and the output.
    """

    def __init__(self, case):
        self.draw = Draw(7, 7)
        self.leaves, self.structure = jax.tree.flatten(case.piece(self.draw))
        self.learned = [jnp.asarray(x, "float64") for x in self.leaves if is_float(x)]
        self.arrays = [*inputs(self.draw, "float64"), *self.learned]
        self.kind = case.kind
        self.call = jax.jit(jax.grad(self.loss, has_aux=True))

    def loss(self, arrays, real, counted):
        learned = iter(arrays[3:])
        leaves = [next(learned) if is_float(x) else x for x in self.leaves]
        piece = jax.tree.unflatten(self.structure, leaves)
        mask = attn.causal & attn.predicate(_real)
        at = attn.at(query={"real": real}, key={"real": real})
        spec = attn.Attention(**{self.kind: piece, "mask": mask})
        output = attend(spec, *arrays[:3], at=at).value
        total = jnp.sum(jnp.where(counted[:, None], jnp.sin(output), 0.0))
        return total, (total, output)

    def __call__(self, arrays, real=7, counted=7):
        with jax.enable_x64(True):
            rows = np.arange(7)
            gradients, (total, output) = self.call(arrays, rows < real, rows < counted)
            return [np.asarray(x) for x in gradients], total, np.asarray(output)


@functools.cache
def run_of(name):
    with jax.enable_x64(True):
        return Run(BY_NAME[name])


@pytest.mark.parametrize("name", BY_NAME)
def test_gradient_of_every_array_equals_differences(name):
    """Along a random direction in query, key, value and the piece's own arrays."""
    run = run_of(name)
    gradients, _, _ = run(run.arrays)
    for index, array in enumerate(run.arrays):
        step = run.draw.normal(*array.shape).astype("float64")
        totals = []
        for size in (1e-6, -1e-6):
            shifted = [*run.arrays]
            shifted[index] = np.asarray(array) + size * step
            totals.append(float(run(shifted)[1]))
        expected = (totals[0] - totals[1]) / 2e-6
        slope = np.vdot(gradients[index], step)
        np.testing.assert_allclose(slope, expected, rtol=2e-6, atol=1e-8)
        assert gradients[index].any(), "no gradient to its array"


@pytest.mark.parametrize("name", BY_NAME)
def test_hidden_keys_have_gradient_zero_and_no_influence(name):
    """Keys 3 and later are hidden from rows 0 to 2, which alone are counted."""
    run = run_of(name)
    gradients, _, output = run(run.arrays, counted=3)
    for gradient in gradients[1:3]:
        assert not gradient[3:].any()
        assert gradient[:3].any()
    for poison in (1e4, np.nan, np.inf, -np.inf):
        arrays = [np.array(x) for x in run.arrays]
        arrays[1][3:] = arrays[2][3:] = poison
        changed, _, same = run(arrays, counted=3)
        np.testing.assert_array_equal(same[:3], output[:3])
        if poison == 1e4:  # a NaN that row 3 sees has no gradient that is a number
            for got, expected in zip(changed, gradients, strict=True):
                np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", BY_NAME)
def test_nan_in_padding_leaves_every_gradient_as_it_is(name):
    """The last two tokens are padding: hidden from all, and seeing nothing."""
    run = run_of(name)
    gradients, _, output = run(run.arrays, real=5)
    assert not output[5:].any()
    for poison in (np.nan, np.inf):
        arrays = [np.array(x) for x in run.arrays]
        for array in arrays[:3]:
            array[5:] = poison
        changed, _, same = run(arrays, real=5)
        np.testing.assert_array_equal(same, output)
        for got, expected in zip(changed, gradients, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_nan_in_a_visible_key_or_value_is_seen():
    draw = Draw(7, 7)
    query, key, value = inputs(draw)
    for name in ("key", "value"):
        arrays = {"key": key, "value": value}
        arrays[name] = arrays[name].at[3, 0].set(np.nan)
        for mask in (attn.causal, attn.everything):
            output = attend(mask, query, **arrays).value
            seen = np.isnan(output).any(axis=-1)
            expected = np.arange(7) >= 3 if mask == attn.causal else np.ones(7, bool)
            np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("case", NORMALIZERS, ids=[c.name for c in NORMALIZERS])
def test_a_row_without_a_key_is_exactly_zero(case):
    """Output 0, zero gradients and log-sum-exp minus infinity; the rest untouched."""
    draw = Draw(5, 7)
    array = draw.coins(5, 7)
    array[2], array[3] = False, True
    spec = attn.Attention(normalizer=case.piece(draw), mask=attn.dense(array))
    arrays = inputs(draw)

    @jax.jit
    def run(spec, arrays):
        def loss(spec, arrays):
            output = attend(spec, *arrays, probes=("log_sum_exp", "entropy", "weights"))
            return jnp.sum(output.value[2]), output

        return jax.grad(loss, argnums=(0, 1), has_aux=True, allow_int=True)(
            spec, arrays
        )

    gradients, output = run(spec, arrays)
    assert not np.asarray(output.value[2]).any()
    assert np.asarray(output.value[3]).any()
    assert output.aux["log_sum_exp"][2] == -np.inf
    assert output.aux["entropy"][2] == 0
    for leaf in jax.tree.leaves(gradients):
        assert leaf.dtype == jax.dtypes.float0 or not np.asarray(leaf).any()


@pytest.mark.parametrize("case", NORMALIZERS, ids=[c.name for c in NORMALIZERS])
def test_no_keys_at_all_are_like_hidden_ones(case):
    x, none = jnp.ones((3, 5)), jnp.ones((0, 5))
    got = attend(case.piece(), x, none, none, probes=("log_sum_exp", "entropy"))
    np.testing.assert_array_equal(got.value, np.zeros((3, 5)))
    np.testing.assert_array_equal(got.aux["log_sum_exp"], np.full(3, -np.inf))
    assert attend(case.piece(), none, x, x).value.shape == (0, 5)


@pytest.mark.parametrize("case", MASKS, ids=[c.name for c in MASKS])
def test_weights_are_zero_exactly_where_the_mask_hides(case):
    draw = Draw(7, 7)
    at = where(draw)[0]
    piece = case.piece(draw)
    got = attend(piece, *inputs(draw), at=at, probes=("weights",))
    shown = attn.spec.drawing.table(piece, 7, 7, at)
    np.testing.assert_array_equal(np.asarray(got.aux["weights"]) > 0, shown)


def test_segments_do_not_leak():
    """Another first document: the second one's output and gradients stay bitwise."""
    draw = Draw(7, 7)
    spec, segment = attn.parse("causal & segments"), jnp.array([0, 0, 0, 1, 1, 1, 1])

    @jax.jit
    def second(arrays):
        def loss(arrays):
            output = attend(spec, *arrays, at=attn.at(segment=segment)).value[3:]
            return jnp.sum(jnp.sin(output)), output

        return jax.grad(loss, has_aux=True)(arrays)

    arrays = inputs(draw)
    gradients, output = second(arrays)
    for poison in (1e4, np.nan, np.inf):
        changed, same = second([x.at[:3].set(poison) for x in arrays])
        np.testing.assert_array_equal(same, output)
        for got, expected in zip(changed, gradients, strict=True):
            if poison == 1e4:  # what sees a NaN has no gradient that is a number
                np.testing.assert_array_equal(got[3:], expected[3:])
                assert not np.asarray(got[:3]).any()


def test_a_users_function_may_be_undefined_where_the_mask_hides():
    """log(distance + 1) has no value ahead of the query, and its gradient is NaN."""

    def bend(logits, site, slope):
        distance = site.distance.astype(logits.dtype)
        return logits - slope * jnp.log(distance + 1.0)

    draw = Draw(7, 7)
    query, key, value = inputs(draw)

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1))
    def gradient(slope, query):
        spec = attn.causal, attn.fn(bend, slope=slope) >> attn.softcap(5)
        return jnp.sum(jnp.sin(attend(spec, query, key, value).value))

    slope, by_query = gradient(jnp.float32(0.3), query)
    assert np.isfinite(slope)
    assert slope != 0
    assert np.isfinite(by_query).all()


@pytest.mark.parametrize("size", [1e-23, 1.0, 1e20])
def test_cosine_depends_on_no_length_however_large_or_small(size):
    query, key = (
        jax.random.normal(jax.random.key(seed), (n, 5)) for seed, n in ((0, 3), (1, 4))
    )
    cosine = lambda query: attn.cosine.compare(query, key)  # noqa: E731
    total = lambda query: jnp.sum(jnp.sin(cosine(query)))  # noqa: E731
    chex.assert_trees_all_close(cosine(query * size), cosine(query), rtol=1e-5)
    long, short = jax.grad(total)(query * size) * size, jax.grad(total)(query)
    chex.assert_trees_all_close(long, short, rtol=1e-4, atol=1e-5)


def test_cosine_of_zeros_is_zero_and_of_nan_is_nan():
    query = jnp.array([[0.0, 0.0], [jnp.nan, 1.0], [jnp.inf, 1.0]])
    logits = attn.cosine.compare(query, jnp.array([[1.0, 2.0]]))[:, 0]
    assert logits[0] == 0
    assert jnp.all(jnp.isnan(logits[1:]))
    gradient = jax.grad(lambda x: attn.cosine.compare(x, x).sum())(jnp.zeros((2, 3)))
    assert jnp.all(gradient == 0)
