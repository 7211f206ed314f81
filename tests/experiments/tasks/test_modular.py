"""Modular arithmetic: the whole table, cut once."""

import jax
import numpy as np
import pytest

from experiments.config import ConfigError, load
from experiments.tasks import modular
from tests.experiments.tasks.test_generated_tasks import task_of

FUNCTIONS = {
    "add": lambda a, b, p: (a + b) % p,
    "subtract": lambda a, b, p: (a - b) % p,
    "multiply": lambda a, b, p: a * b % p,
    "divide": lambda a, b, p: a * pow(b, -1, p) % p,
}


@pytest.mark.parametrize("operation", modular.SIGNS)
def test_the_table_is_arithmetic(operation):
    p = 11
    knobs = modular.Options(modulus=p, operation=operation)
    rows = modular.table(knobs).tolist()
    divisors = [b for b in range(p) if b or operation != "divide"]
    assert sorted(row[:2] for row in rows) == [
        [a, b] for a in range(p) for b in divisors
    ]
    assert all(FUNCTIONS[operation](a, b, p) == result for a, b, result in rows)


def test_the_parts_are_the_table_and_share_nothing():
    task, config = task_of("modular", {"modulus": 13, "shown": 0.6})
    parts = [[tuple(row) for row in np.asarray(x)] for x in task.arrays.values()]
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[0]) == round(169 * 0.6)
    knobs = modular.TASK.options(config.data)
    assert {*parts[0], *parts[1]} == {tuple(row) for row in modular.table(knobs)}
    other, _ = task_of("modular", {"modulus": 13, "shown": 0.6, "table": 1})
    assert set(map(tuple, np.asarray(other.arrays["train"]))) != set(parts[0])


def test_validation_shows_each_row_once_and_training_only_its_own():
    task, _ = task_of("modular", {"modulus": 13, "shown": 0.6})
    call = jax.jit(task.batch, static_argnums=2)
    seen = []
    for step in range(task.validation_steps):
        batch = jax.tree.map(np.asarray, call(task.arrays, 0, "validation", step))
        assert (batch.tokens[:, 1] == 13).all()
        assert (batch.tokens[:, 3] == 14).all()
        asked = batch.weights[:, 3] > 0
        assert not batch.weights[:, :3].any()
        rows = (batch.tokens[:, 0], batch.tokens[:, 2], batch.targets[:, 3])
        seen += np.stack(rows, 1)[asked].tolist()
    assert sorted(seen) == sorted(np.asarray(task.arrays["validation"]).tolist())
    batch = call(task.arrays, 0, "train", 5)
    shown = {tuple(row) for row in np.asarray(task.arrays["train"])}
    rows = (batch.tokens[:, 0], batch.tokens[:, 2], batch.targets[:, 3])
    assert {tuple(row) for row in np.stack(rows, 1)} <= shown


def test_division_needs_a_prime():
    given = ["data.kind=modular", "data.options={operation: divide, modulus: 12}"]
    with pytest.raises(ConfigError, match="must be prime to divide, got 12; 11 is"):
        load(None, given)
