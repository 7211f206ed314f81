"""A recompilation is seen when it happens, and its cause is named."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.recompiles import SETTING, Compilations, cause, signature


@functools.partial(jax.jit, static_argnames="times", donate_argnums=0)
def step(state, x, times=1):
    return jax.tree.map(lambda leaf: leaf + times * x.sum(), state)


def state():
    return {"a": jnp.ones(3), "b": jnp.ones(5)}


CAUSES = {
    "shape": (lambda: (state(), jnp.ones(7)), "x: shape (2,) -> shape (7,)"),
    "dtype": (
        lambda: (state(), np.ones(2, np.int32)),
        "x: dtype float32 -> dtype int32",
    ),
    "weak type": (
        lambda: (state(), 2.0),
        "x: shape (2,) -> shape (), strong type -> weak type",
    ),
    "static value": (lambda: (state(), jnp.ones(2), 3), "times: value 1 -> value 3"),
    "a leaf": (
        lambda: ({"a": jnp.ones(3)}, jnp.ones(2)),
        "state['b'] is gone",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_of_a_signature_that_differs(name):
    made, expected = CAUSES[name]
    known = [signature(step, (state(), jnp.ones(2)), {})]
    assert cause(known, signature(step, made(), {})) == expected


def test_the_nearest_of_the_known_ones_counts():
    known = [signature(step, (state(), jnp.ones(n)), {}) for n in (2, 3)]
    now = signature(step, ({"a": jnp.ones(3)}, jnp.ones(3)), {})
    assert cause(known, now) == "state['b'] is gone"
    assert cause(known, known[0]) == SETTING


def test_only_what_compiles_again_is_noted_donated_arguments_too():
    with Compilations() as seen:
        watched = seen.watch(step)
        after = watched(state(), jnp.ones(2))
        after = watched(after, jnp.ones(2))
        assert seen.again == []
        watched(after, jnp.ones(11))
    (found,) = seen.again
    assert (found.function, found.call) == ("step", 3)
    assert found.cause == "x: shape (2,) -> shape (11,)"
    assert 0 < found.seconds < seen.total
    assert "step compiled again at call 3 (" in str(found)


def test_a_closed_one_hears_nothing():
    with Compilations() as seen:
        pass
    jax.jit(lambda x: x + 1)(jnp.ones(13))
    assert (seen.traces, seen.compiles, seen.again) == (0, 0, [])
