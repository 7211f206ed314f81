"""Every task that draws its examples: solved by its oracle, split, reproducible."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import tasks
from experiments.config import load
from experiments.config.names import TASKS
from experiments.tasks.generated import is_validation
from tests.experiments.tasks.table import ROWS, UNKNOWN

BATCH = 13


def task_of(kind, options=None, batch=BATCH):
    changed = [f"data.options.{k}={v}" for k, v in (options or {}).items()]
    model = f"model.kind={tasks.declared(kind).model}"
    config = load(None, [f"data.kind={kind}", model, f"data.batch={batch}", *changed])
    return tasks.build(config.data), config


def compiled(task):
    """Its batches, compiled in half the time: integers come out the same."""
    fast = {"xla_backend_optimization_level": 0}
    return jax.jit(task.batch, static_argnums=2, compiler_options=fast)


@pytest.fixture(scope="module", params=ROWS)
def drawn(request):
    """A task at its small options, and two batches of each split."""
    task, config = task_of(request.param, ROWS[request.param].options)
    call = compiled(task)
    get = lambda split, step: jax.tree.map(  # noqa: E731
        np.asarray, call(task.arrays, 7, split, step)
    )
    batches = {
        split: [get(split, i) for i in range(2)] for split in ("train", "validation")
    }
    return request.param, task, config, batches, call


def test_every_generated_task_has_its_row():
    assert set(ROWS) == {kind for kind in TASKS if tasks.declared(kind).example}


def test_an_oracle_solves_it_from_the_tokens_alone(drawn):
    kind, task, config, batches, _ = drawn
    solve = ROWS[kind].solve
    assert (solve is None) == (task.floor > 0)
    for batch in batches["train"] + batches["validation"]:
        assert (batch.weights > 0).any()
        rows = (read(batch), batch.targets, batch.weights)
        for tokens, targets, weights in zip(*rows, strict=True):
            if solve is not None:
                solved = np.asarray(solve(tokens, config.data.options))
                counts = weights > 0
                np.testing.assert_array_equal(solved[counts], targets[counts])
                assert not (solved[counts] == UNKNOWN).any()


def read(batch):
    """What the model reads of each example to say its answer: tokens, no padding."""
    rows, there = batch.tokens, np.ones(batch.tokens.shape, bool)
    if hasattr(batch, "source"):
        rows, there = batch.source, batch.source_present
    elif hasattr(batch, "present"):
        there = batch.present
    return [row[real] for row, real in zip(rows, there, strict=True)]


def whole(batch):
    """Each example as bytes."""
    sources = getattr(batch, "source", batch.tokens)
    rows = zip(sources, batch.tokens, strict=True)
    return [a.tobytes() + b.tobytes() for a, b in rows]


def test_the_splits_share_no_example(drawn):
    _, _, _, batches, _ = drawn
    for split, got in batches.items():
        for batch in got:
            belongs = np.asarray(is_validation(jax.tree.map(jnp.asarray, batch)))
            assert (belongs == (split == "validation")).all()
    train = {row for batch in batches["train"] for row in whole(batch)}
    held_out = {row for batch in batches["validation"] for row in whole(batch)}
    assert not train & held_out
    assert len(train) > BATCH  # and it does not repeat itself


def test_shapes_symbols_and_slices(drawn):
    _, task, config, batches, _ = drawn
    for batch in batches["train"] + batches["validation"]:
        assert (
            batch.tokens.shape == (BATCH, task.context) == (BATCH, config.data.length)
        )
        assert batch.tokens.dtype == batch.targets.dtype == np.int32
        assert batch.weights.dtype == np.float32
        for array in (batch.tokens, batch.targets):
            assert array.min() >= 0
            assert array.max() < task.vocabulary.size
        for part in batch.slices.values():
            assert part.shape == batch.targets.shape
            assert part.dtype == bool


def test_seed_and_step_decide(drawn):
    _, task, _, batches, call = drawn
    first = batches["train"][0].tokens
    again = np.asarray(call(task.arrays, 7, "train", 0).tokens)
    np.testing.assert_array_equal(first, again)
    for other in ((8, 0), (7, 1)):
        different = np.asarray(call(task.arrays, other[0], "train", other[1]).tokens)
        assert (different != first).any()
    same = np.asarray(call(task.arrays, 8, "validation", 0).tokens)
    np.testing.assert_array_equal(same, batches["validation"][0].tokens)


@pytest.mark.parametrize("kind", ["mqar", "dates", "keywords"])
def test_validation_is_one_list_whatever_the_batch(kind):
    first = {}
    for size in (13, 16, 24, 48):
        task, _ = task_of(kind, ROWS[kind].options, batch=size)
        call = compiled(task)
        batches = [call(task.arrays, 7, "validation", i) for i in range(48 // size)]
        first[size] = jax.tree.map(lambda *x: np.concatenate(x), *batches)
    for size, found in first.items():
        same = partial(np.testing.assert_array_equal, strict=True)
        cut = jax.tree.map(lambda x, n=48 // size * size: x[:n], first[48])
        jax.tree.map(same, found, cut)


def test_every_batch_size_counts_the_same_number_of_validation_examples():
    for size in (48, 2048, 3000):
        task, _ = task_of("mqar", ROWS["mqar"].options, batch=size)
        last = task.validation_steps - 1
        weights = compiled(task)(task.arrays, 7, "validation", last).weights
        assert last * size + np.asarray(weights > 0).any(1).sum() == 2048


def test_the_prompt_can_be_written_and_read_back(drawn):
    _, task, config, _, _ = drawn
    tokens = task.vocabulary.encode(config.sample.prompt)
    assert tokens
    assert task.vocabulary.decode(tokens) == config.sample.prompt


@pytest.mark.parametrize("kind", ROWS)
def test_presets_and_facts(kind):
    declared = tasks.declared(kind)
    assert list(declared.presets) == ["tiny", "small", "paper"]
    for preset in declared.presets.values():
        knobs = declared.knobs.model_validate(preset)
        assert not [*knobs.problems()]
        facts = declared.facts(knobs)
        assert facts.floor < facts.chance
        assert facts.chance_accuracy < 1
    assert declared.reference
