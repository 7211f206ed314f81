"""The operations of a trace, without a viewer."""

import functools

import jax
import jax.numpy as jnp
import pytest

from experiments import profiles
from experiments.errors import UserError


def test_the_product_of_a_step_is_named_timed_and_counted(tmp_path):
    step = jax.jit(lambda x: jnp.tanh(x @ x))
    x = jax.random.normal(jax.random.key(0), (256, 256))
    program = step.lower(x).compile().as_text()
    jax.block_until_ready(step(x))
    with profiles.recorded(tmp_path / "trace"):
        for _ in range(3):
            jax.block_until_ready(step(x))
    found = profiles.top_operations(tmp_path / "trace", program, calls=3)
    sources = [each.source.split("/")[-1] for each in found]
    assert "dot_general" in sources
    assert {each.count for each in found} == {1}
    assert sum(each.share for each in found) == pytest.approx(1)
    assert "f32[256,256]" in profiles.table(found)


def test_what_is_alike_in_every_layer_is_one_row(tmp_path):
    layer = lambda x, kernel: jnp.tanh(x @ kernel)  # noqa: E731
    step = jax.jit(lambda x, kernels: functools.reduce(layer, kernels, x))
    x, *kernels = jax.random.normal(jax.random.key(0), (4, 128, 128))
    program = step.lower(x, kernels).compile().as_text()
    jax.block_until_ready(step(x, kernels))
    with profiles.recorded(tmp_path / "trace"):
        for _ in range(2):
            jax.block_until_ready(step(x, kernels))
    found = profiles.top_operations(tmp_path / "trace", program, calls=2)
    products = [each for each in found if each.source.endswith("dot_general")]
    assert [each.count for each in products] == [3]
    alone = profiles.top_operations(tmp_path / "trace", calls=2)
    assert len(alone) > len(found)
    assert sum(x.seconds for x in alone) == pytest.approx(sum(x.seconds for x in found))


def test_no_trace_is_said(tmp_path):
    with pytest.raises(UserError, match=r"no trace here; expected a file .*xplane"):
        profiles.top_operations(tmp_path)
