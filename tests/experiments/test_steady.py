"""The warm-up is the first of each kind, however late; after it, nothing compiles."""

import jax
import numpy as np
import pytest

from experiments.steady import RecompileError, Steady


def steady(strict):
    said, noted = [], []
    made = Steady(said.append, lambda *each: noted.append(each), strict=strict)
    return made, said, noted


def test_only_what_comes_after_the_warm_up_counts():
    listening, said, noted = steady(strict=False)
    with listening.seen as seen:
        step = seen.watch(jax.jit(lambda x: x + 3), "the step")
        score = seen.watch(jax.jit(lambda x: x * 5), "the score")
        for number in range(4):
            with listening.during("train", number):
                step(np.ones(3, np.float32))
        with listening.during("eval", 4):  # late, and the first of its kind
            score(np.ones(3, np.float32))
        assert (listening.count, said, noted) == (0, [], [])
        with listening.during("eval", 8):
            score(np.ones(7, np.float32))
    ((event, at, what),) = noted
    assert (event, at, what["recompiles"]) == ("recompile", 8, 1)
    assert "the score compiled again at call 2" in what["cause"]
    assert "shape (3,) -> shape (7,)" in what["cause"]
    assert said == [f"step 8  {what['cause']}"]


def test_it_can_be_an_error_and_programs_without_a_name_count():
    listening, said, _ = steady(strict=True)
    with listening.seen:
        with listening.during("log", 3):
            jax.jit(lambda x: x - 1)(np.ones(3, np.float32))
        told = r"^train: step 9: `log` compiled what it had not used: 1. .*fail_on"
        with pytest.raises(RecompileError, match=told), listening.during("log", 9):
            jax.jit(lambda x: x - 2)(np.ones(3, np.float32))
    assert said == []
