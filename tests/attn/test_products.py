"""The product of two matrices, and its derivative of any order and in any form."""

import re

import chex
import jax
import jax.numpy as jnp
import pytest

from attn.products import product

# [M, K] and [K, N]; the gradient of the right side turns the narrower of K and N.
WIDE, NARROW = ((6, 5), (5, 3)), ((6, 3), (3, 5))


def pair(shapes, dtype="float32"):
    keys = jax.random.split(jax.random.key(0))
    return [
        jax.random.normal(key, shape, dtype)
        for key, shape in zip(keys, shapes, strict=True)
    ]


def plain(left, right):
    return left @ right


def curved(times):
    """A scalar whose second derivatives are not zero."""
    return lambda left, right: jnp.sum(jnp.sin(times(left, right)))


@pytest.mark.parametrize("shapes", [WIDE, NARROW])
def test_it_is_the_plain_product_forward_and_back(shapes):
    arrays = pair(shapes)
    chex.assert_trees_all_close(product(*arrays), plain(*arrays), rtol=1e-6)
    ours, theirs = (jax.grad(curved(f), (0, 1))(*arrays) for f in (product, plain))
    chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shapes", [WIDE, NARROW])
@pytest.mark.parametrize(
    "derive",
    [
        lambda f: jax.jacfwd(f, (0, 1)),
        lambda f: jax.hessian(f, (0, 1)),
        lambda f: jax.jacfwd(jax.grad(f, 1)),
        lambda f: jax.grad(lambda a, b: jnp.sum(jax.grad(f, 1)(a, b) ** 2), (0, 1)),
        lambda f: jax.grad(jax.checkpoint(f), (0, 1)),
    ],
    ids=["forward", "hessian", "forward of reverse", "reverse twice", "checkpoint"],
)
def test_every_order_of_derivative_agrees(shapes, derive):
    arrays = pair(shapes)
    ours, theirs = (jax.jit(derive(curved(f)))(*arrays) for f in (product, plain))
    chex.assert_trees_all_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_it_may_be_mapped(axes):
    arrays = [
        jnp.stack([x, 2 * x, x - 1]) if axis == 0 else x
        for x, axis in zip(pair(WIDE), axes, strict=True)
    ]
    ours, theirs = (
        jax.vmap(jax.grad(curved(f), (0, 1)), axes)(*arrays) for f in (product, plain)
    )
    chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_narrow_types_are_summed_wide_and_keep_their_gradients():
    arrays = pair(WIDE, "bfloat16")
    assert product(*arrays).dtype == jnp.float32
    left, right = jax.grad(curved(product), (0, 1))(*arrays)
    assert left.dtype == right.dtype == jnp.bfloat16


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of XLA:CPU")
def test_no_product_of_the_derivative_has_a_transposed_left_side():
    arrays = [jnp.ones((48, 64, 64)), jnp.ones((48, 64, 32))]

    def transposed(times):
        total = lambda a, b: jnp.sum(jax.vmap(times)(a, b) ** 2)  # noqa: E731
        text = jax.jit(jax.grad(total, (0, 1))).lower(*arrays).compile().as_text()
        sides = re.findall(r"lhs_contracting_dims=\{(\d+)\}", text)
        assert sides
        return sides.count("1")  # of [batch, M, K]; 2 is as it should be

    assert transposed(product) == 0
    assert transposed(plain) > 0  # else the rule is no longer needed
