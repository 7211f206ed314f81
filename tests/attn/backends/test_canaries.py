"""Compiled results against op by op, in fresh processes: XLA:CPU has been wrong."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.canary import CANARIES
from tests.cases import CASES

PARTS = 4  # of the table, in a default run one of them a size


def compare(*arguments: int) -> str:
    """What a process that has compiled nothing before says."""
    command = [sys.executable, "-m", "tests.attn.backends.canaries"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=550
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return done.stdout


def test_every_fourth_piece_compiled_equals_op_by_op():
    count = len(CASES[1::PARTS])
    assert compare(17, 17, 1, PARTS) == f"{count} compared\n"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("size", [(7, 11), (17, 17), (67, 67)], ids=str)
def test_every_piece_compiled_equals_op_by_op(size, part):
    count = len(CASES[part::PARTS])
    assert compare(*size, part, PARTS) == f"{count} compared\n"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def broadcast_operand(weights, values):
    """A batched dot with a broadcast operand, which fuses into multiply and reduce."""
    wide = jnp.broadcast_to(values, (weights.shape[0], *values.shape))
    return jax.lax.dot_general(weights, wide, (((2,), (1,)), ((0,), (0,)))).sum(-1)


def reverse_of_sum(query, key, value):
    """The gradient of sum(attention), written plainly, by every input."""

    def total(query, key, value):
        logits = jnp.einsum("bth,bsh->bts", query, key) / query.shape[-1]
        return jnp.einsum("bts,bse->bte", jax.nn.softmax(logits), value).sum()

    return jax.grad(total, (0, 1, 2))(query, key, value)


def patterns():
    """(name, compiled, op by op, arguments) at three sizes."""
    found = [(name, *row) for name, row in CANARIES.items()]
    for size in (7, 33, 67):
        weights, values = draw(5, size, size), draw(size, 13, seed=1)
        arrays = [draw(5, size, 13, seed=seed) for seed in range(3)]
        found += [
            (f"broadcast {size}", *[broadcast_operand] * 2, (weights, values)),
            (f"reverse {size}", *[reverse_of_sum] * 2, arrays),
        ]
    return found


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: pattern[0])
def test_published_patterns(pattern):
    _, compiled, definition, arguments = pattern
    got = jax.jit(compiled)(*arguments)
    with jax.disable_jit():
        expected = definition(*arguments)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        scale = max(1.0, float(jnp.max(jnp.abs(y))))
        np.testing.assert_allclose(x, y, rtol=0, atol=2e-5 * scale)
