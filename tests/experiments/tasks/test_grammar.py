"""The grammar's entropy, by enumeration and by what its lines lose on average."""

import itertools
import math

import jax
import numpy as np
import pytest

from experiments.tasks import grammar
from tests.experiments.tasks.test_generated_tasks import task_of

OPTIONS = {"states": 3, "alphabet": 5, "branches": 4}


def nats(line, rules):
    """-log p of each symbol of a line, along the states from 0; inf if impossible."""
    state, found = 0, []
    for symbol in line:
        rule = [i for i, each in enumerate(rules.symbols[state]) if each == symbol]
        if not rule:
            return [math.inf]
        found.append(-math.log(rules.chances[state][rule[0]]))
        state = rules.states[state][rule[0]]
    return found


def test_the_floor_is_the_entropy_of_all_lines():
    knobs = grammar.Options.model_validate({"length": 5, **OPTIONS})
    rules = grammar.rules(knobs)
    total, entropy = 0.0, 0.0
    for line in itertools.product(range(knobs.alphabet), repeat=knobs.length):
        lost = sum(nats(line, rules))
        total += math.exp(-lost)
        entropy += math.exp(-lost) * lost if lost < math.inf else 0
    assert total == pytest.approx(1)
    assert grammar.facts(knobs).floor == pytest.approx(entropy / knobs.length)


def test_lines_lose_the_floor_on_average_whatever_the_split():
    task, config = task_of("grammar", {"length": 20, **OPTIONS}, 512)
    rules = grammar.rules(grammar.Options.model_validate(config.data.options))
    call = jax.jit(task.batch, static_argnums=2)
    for split in ("train", "validation"):
        lines = np.asarray(call(task.arrays, 3, split, 0).targets)
        lost = np.array([nats(line, rules) for line in lines])
        spread = lost.mean(1).std() / math.sqrt(len(lines))
        assert abs(lost.mean() - task.floor) < 4 * spread < 0.1


def test_another_language_is_another_task():
    one, _ = task_of("grammar", OPTIONS | {"length": 11})
    other, _ = task_of("grammar", OPTIONS | {"length": 11, "language": 1})
    assert one.floor != other.floor
    assert one.fingerprint != other.fingerprint
