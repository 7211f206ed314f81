"""The operations of a trace, without a viewer."""

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


def test_no_trace_is_said(tmp_path):
    with pytest.raises(UserError, match=r"no trace here; expected a file .*xplane"):
        profiles.top_operations(tmp_path)
