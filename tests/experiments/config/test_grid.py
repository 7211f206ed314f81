"""A grid of difficulties: what is refused when a config is loaded, what is left out."""

import pytest

from experiments.config import ConfigError, load, resolve
from experiments.config.complete import with_options
from experiments.config.grid import cells

TASK = ["data.kind=mqar", "model.layers=1"]


def test_cells_are_all_combinations_and_impossible_ones_say_why():
    config = load(None, [*TASK, "eval.grid={length: [16, 32], pairs: [4, 8]}"])
    found = cells(config, config.eval.grid)
    assert resolve(config).grid == 4
    names = ["length=16,pairs=4", "length=16,pairs=8"]
    assert [cell.name for cell in found][:2] == names
    assert [cell.config is None for cell in found] == [False, True, False, False]
    assert found[1].reason.startswith("at most 4 fit length 16")
    assert found[0].config.data.length == 16


def test_another_difficulty_changes_nothing_else():
    config = load(None, TASK)
    harder = with_options(config, {"length": 64})
    assert (harder.data.length, harder.data.options["length"]) == (64, 64)
    assert harder.data.options["pairs"] == config.data.options["pairs"]
    assert harder.model == config.model
    text = with_options(load(None), {"context": 77})
    assert text.data.length == 77
    assert text.data.options == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["eval.grid={lenght: [16]}"], "eval.grid.lenght: task mqar has no such option."
         " Did you mean `length`?"),
        (["eval.grid={length: []}"], "expected a list of values, such as [16, 32]"),
        (["eval.grid={length: [x]}"], "expected a whole number of at least 1, got `x`"),
        (["eval.grid={pairs: [20, 30]}"], "no cell is possible: pairs=20: at most 8"),
        (["eval.grid={length: [64]}", "model.position=learned"],
         "learned positions end at 32 tokens, but length=64 has 64; train on the"
         " longest length, or use rotary, sinusoidal or no positions."),
        ([f"eval.grid={{power: {[i + 1 for i in range(101)]}}}"], "makes 101 cells;"),
        (["eval.grid=3"], "expected options of the task, each with a list of values"),
    ],
)  # fmt: skip
def test_what_is_refused(overrides, message):
    with pytest.raises(ConfigError) as caught:
        load(None, [*TASK, *overrides])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shorter_texts_suit_learned_positions():
    load(None, [*TASK, "eval.grid={length: [16]}", "model.position=learned"])
