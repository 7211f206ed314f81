"""Files of many runs: what they expand to, and what they are told."""

import pytest

from experiments.config import ConfigError, drafts, load
from experiments.config.many import load_many

SWEEP = """\
name: small
model: {layers: 1, heads: 2, width: 12}
sweep:
  axes:
    optim: {lr: [0.1, 0.2]}
    model.mask: [causal, "causal & window(back=8)"]
  seeds: 3
"""
STUDY = """\
name: small
study:
  variants:
    full: {}
    sigmoid: {model.normalizer: sigmoid}
  tasks:
    short: {data: {kind: induction, options: {length: 32}}}
    long: {data.kind: induction, data.options.length: 48}
  axes: {optim.lr: [0.1, 0.2]}
  seeds: 2
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, *overrides):
        (tmp_path / "many.yaml").write_text(text)
        return load_many("many.yaml", overrides)

    return write


def faults(written, text, *overrides):
    with pytest.raises(ConfigError) as caught:
        assert not written(text, *overrides).points
    return str(caught.value).splitlines()


def test_a_grid_takes_every_combination_with_every_seed(written):
    points = written(SWEEP).points
    assert len(points) == 12
    assert [point.config.seed for point in points[:4]] == [0, 1, 2, 0]
    assert points[0].variant == "optim.lr=0.1, model.mask=causal"
    assert {point.config.optim.lr for point in points} == {0.1, 0.2}
    assert len(written(SWEEP, "sweep.seeds=1", "seed=4").points) == 4


def test_a_point_is_the_config_that_overrides_make(written, tmp_path):
    point = written(SWEEP).points[-1]
    (tmp_path / "one.yaml").write_text(SWEEP.split("sweep:")[0])
    overrides = ("optim.lr=0.2", "model.mask=causal & window(back=8)", "seed=2")
    assert point.config == load(tmp_path / "one.yaml", overrides)


def test_a_study_is_variants_times_tasks_times_rates_times_seeds(written):
    points = written(STUDY).points
    assert len(points) == 16
    assert {(each.task, each.variant) for each in points} == {
        (task, name) for task in ("short", "long") for name in ("full", "sigmoid")
    }
    assert points[0].tuned == (("optim.lr", 0.1),)
    assert {each.config.data.length for each in points} == {32, 48}


def test_every_fault_is_told_at_the_line_of_its_value(written):
    text = SWEEP.replace("[0.1, 0.2]", "[0.1, -1]")
    text = text.replace("heads: 2, width: 12", "heads: 5, width: 12")
    assert faults(written, text.replace("heads: 5", "heads: 2")) == [
        "many.yaml:5: optim.lr: expected a number above 0, got `-1`."
    ]
    (found,) = faults(written, text)
    assert found.startswith("many.yaml:2: model.heads: must divide")


def test_keys_that_do_not_exist_and_empty_lists_are_told_together(written):
    found = faults(
        written,
        "sweep:\n  axes:\n    optim.lrr: [1]\n    optim.eps: []\n    model: [1]\n"
        "    seed: 3\n  sedes: 2\n",
    )
    assert found == [
        "many.yaml:3: sweep.axes.optim.lrr: unknown key. Did you mean `optim.lr`?",
        "many.yaml:4: sweep.axes.optim.eps: expected at least one value, got an empty"
        " list.",
        "many.yaml:5: sweep.axes.model: is a section; name a key in it.",
        "many.yaml:6: sweep.axes.seed: expected a list of values, got 3; write [3].",
        "many.yaml:7: sweep.sedes: unknown key. Did you mean `seeds`?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sweep: {}", "nothing to sweep"),
        ("sweep: {axes: {seed: [1]}, seeds: 2}", "the seed is an axis already"),
        ("sweep: {axes: {seed: [1, 1]}}", "has 1 twice"),
        ("sweep: {mode: random, axes: {seed: [1]}}", "needs a number of trials"),
        ("sweep: {trials: 2, axes: {seed: [1]}}", "every combination"),
        ("sweep: {axes: {optim.lr: {low: 1, high: 2}}}", "a grid needs a list"),
        (
            "sweep: {mode: random, trials: 1, axes: {optim.lr: {low: 2, high: 1}}}",
            "low must be below high",
        ),
        ("study: {}", "nothing to compare"),
        ("study: {variants: {a: {}}, reference: b}", "expected one of a"),
        ("study: {variants: {'../a': {}}}", "a name of letters"),
        ("study: {variants: {'<b>': {}}}", "a name of letters"),
        ("name: a", "expected one section `sweep:` or `study:`, got none"),
        ("sweep: 3", "expected keys indented below it, got `3`"),
    ],
)
def test_what_cannot_be_meant_is_one_line(written, text, expected):
    (found,) = faults(written, text)
    assert expected in found


def test_a_file_of_many_runs_is_no_config(written, tmp_path):
    (tmp_path / "many.yaml").write_text(SWEEP)
    with pytest.raises(ConfigError, match="use `attn sweep`"):
        load("many.yaml")


def test_a_range_of_whole_numbers_has_whole_ends(written):
    text = """\
sweep:
  mode: random
  trials: 3
  axes:
    model.layers: {low: 1.6, high: 3.4, whole: true}
"""
    message = "a range of whole numbers has whole ends, got 1.6, 3.4."
    assert faults(written, text) == [f"many.yaml:5: sweep.axes.model.layers: {message}"]


def test_a_list_in_a_variants_name_is_as_one_writes_it():
    assert drafts.show_value(["mlp", "heads"]) == "[mlp, heads]"
    assert drafts.show_value((0.9, 0.95)) == "[0.9, 0.95]"
    assert drafts.show_value([]) == "[]"
    assert drafts.show_value("\n\n") == r"\n\n"
