"""A model on a grid: each cell is what evaluating at that difficulty alone gives."""

import json

import pytest

from experiments import cli, tasks
from experiments.commands import grid as command
from experiments.config import load
from experiments.errors import UserError
from experiments.evaluate import evaluate
from experiments.grid import evaluate_grid, file_name, record, row
from experiments.metrics import metrics_of
from experiments.setup import assemble
from tests.experiments.relaxed import relaxed  # noqa: F401

TINY = """\
name: tiny
model: {layers: 1, heads: 1, width: 8, hidden: 8}
data: {kind: copy, batch: 5, options: {length: 5, shortest: 3, alphabet: 11}}
train: {duration: 3steps, steps_per_call: 3}
eval: {every: 3steps, batches: 2, grid: {length: [4, 7]}}
sample: {every: null}
"""


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "tiny.yaml"
    path.write_text(TINY)
    config = load(path)
    return assemble(config, tasks.build(config.data))


def test_each_cell_is_the_score_at_its_difficulty(setup):
    params = setup.start().best_params
    axes = {"length": [7, 5], "shortest": [3, 6]}
    found = evaluate_grid(setup, params, axes)
    assert [each.score is None for each in found] == [False, False, False, True]
    whole = evaluate(setup.eval_call, params, setup.inputs, batches=2, most=3)
    assert found[2].score == whole
    assert found[0].score != found[1].score != whole
    numbers = row(found)
    assert numbers["grid/length=5,shortest=3/accuracy"] == whole.accuracy
    assert "grid/length=5,shortest=6/loss" not in numbers
    kept = json.loads(record(setup, 9, axes, found))
    assert kept["trained"] == {"length": 5, "shortest": 3}
    assert [cell.get("context") for cell in kept["cells"]] == [14, 14, 10, None]
    assert "at most length=5" in kept["cells"][3]["left_out"]


def test_another_vocabulary_is_refused_and_a_signal_heard(setup):
    params = setup.start().best_params
    with pytest.raises(UserError, match="has another vocabulary than"):
        evaluate_grid(setup, params, {"alphabet": [13]})
    assert evaluate_grid(setup, params, {"length": [7]}, halted=lambda: True) is None


def test_training_ends_with_the_grid_and_the_verb_makes_another(tmp_path, capsys):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    runs = ["--runs", str(tmp_path / "runs")]
    assert cli.main(["train", str(path), "--quiet", *runs]) == 0
    (run,) = (tmp_path / "runs").glob("tiny-*")
    result = json.loads((run / "result.json").read_text())
    numbers = {name for name, x in result.items() if isinstance(x, int | float)}
    assert numbers - {"step", "seed"} == {*metrics_of(load(path))}
    kept = json.loads((run / file_name({"length": 0})).read_text())
    assert kept["step"] == 3
    for cell in kept["cells"]:
        name = f"grid/length={cell['options']['length']}"
        assert result[f"{name}/exact_match"] == cell["val/exact_match"]
        assert result[f"{name}/loss"] == cell["val/loss"]
    capsys.readouterr()
    grid = ["--grid", "length=5", "--grid", "shortest=3,6"]
    assert cli.main(["eval", "tiny", *grid, "--batches", "1", *runs]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("whole answers right by length and shortest")
    assert out[1].split() == ["length", "shortest=3*", "shortest=6"]
    assert [line.split()[0] for line in out[2:3]] == ["length=5*"]
    assert out[2].endswith("-")
    assert out[3] == "- at most length=5, got 6"
    assert (run / "grid_length_shortest.json").exists()
    assert cli.main(["eval", "tiny", "--grid", "lenght=4", *runs]) == 2
    said = "--grid lenght: task copy has no such option. Did you mean `length`?"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["length", "=3", "length=", "length=3,,4"])
def test_axes_that_are_none(text):
    with pytest.raises(UserError, match="expected option=value,value such as"):
        command.parse([text])


def test_axes_are_read_as_yaml_values():
    assert command.parse(["a=1,0.5", "b=true,x"]) == {"a": [1, 0.5], "b": [True, "x"]}
    with pytest.raises(UserError, match="a is given twice"):
        command.parse(["a=1", "a=2"])
