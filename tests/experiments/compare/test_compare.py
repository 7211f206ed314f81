"""Comparing runs on disk: who is meant, what is said, what is left out."""

import json
import math

import pytest
from rich.console import Console

from experiments.compare.compare import compare
from experiments.compare.comparison import Asked
from experiments.compare.members import find
from experiments.compare.noise import noise
from experiments.compare.render import show
from experiments.errors import UserError
from experiments.records import read_runs
from experiments.sweep.index import Entry, Index
from tests.experiments.made import make_run

WINDOW = "model.mask=causal & window(back=8)"


@pytest.fixture
def root(tmp_path):
    """Two variants with three seeds; the window is better by about 0.1."""
    for seed, wobble in enumerate((0.0, 0.03, -0.02)):
        make_run(tmp_path, f"seed={seed}", floor=1.0 + wobble)
        make_run(tmp_path, f"seed={seed}", WINDOW, floor=0.9 + wobble + 0.01 * seed)
    return tmp_path


def runs(root):
    return [str(each.parent) for each in sorted(root.glob("*/manifest.json"))]


def test_variants_are_told_apart_and_tested_in_pairs(root):
    found = compare(find(runs(root), root), Asked(reference="mask=causal"))
    assert set(found.variants) == {"mask=causal", "mask=causal & window(back=8)"}
    task = found.tasks[0]
    full = found.find(task, "mask=causal", "val/loss")
    window = found.find(task, "mask=causal & window(back=8)", "val/loss")
    assert full.estimate.n == window.estimate.n == 3
    assert full.estimate.low < full.estimate.mean < full.estimate.high
    assert window.test.difference == pytest.approx(-0.09)
    assert window.test.p < 0.01
    assert full.test is None
    assert found.differences[window.variant] == (
        "model.mask: causal -> causal & window(back=8)",
    )
    assert {"val/loss", "val/accuracy"} <= set(found.metrics)
    assert found.costs[0].step_ms == 2.5
    json.dumps(found.to_json(), allow_nan=False)


def test_a_tuned_key_that_there_is_not_is_told(root):
    with pytest.raises(UserError, match=r"no key `optim.lrr`. Did you mean `optim.lr`"):
        find(runs(root), root, best_of=["optim.lrr"])


def test_a_config_means_its_runs_of_all_seeds(root, tmp_path):
    (tmp_path / "mine.yaml").write_text("train: {duration: 40steps}\n")
    found = find([str(tmp_path / "mine.yaml")], root)
    assert sorted(each.seed for each in found.members) == [0, 1, 2]
    (tmp_path / "other.yaml").write_text("model: {layers: 9}\n")
    with pytest.raises(UserError, match="no runs of it"):
        find([str(tmp_path / "other.yaml")], root)


def test_what_changes_nothing_makes_no_variant_of_a_seed(tmp_path):
    make_run(tmp_path, "seed=0")
    make_run(tmp_path, "seed=1", "train.budget=5min", "checkpoint.keep=9")
    make_run(tmp_path, "seed=2", "sample.every=null", "log.every=3steps")
    made = compare(find(runs(tmp_path), tmp_path), Asked())
    (only,) = made.variants
    found = made.find(made.tasks[0], only, "val/loss")
    assert found is not None
    assert found.estimate.n == 3
    assert made.differences == {}


def test_one_seed_twice_is_told_apart_by_what_is_watched(tmp_path):
    make_run(tmp_path, "log.every=3steps")
    make_run(tmp_path)
    found = compare(find(runs(tmp_path), tmp_path), Asked())
    assert set(found.variants) == {"every=3steps", "every=10steps"}


def test_runs_of_different_tasks_are_refused_by_name(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, "data.kind=induction")
    with pytest.raises(UserError, match=r"learns text.*learns induction|learns induct"):
        compare(find(runs(tmp_path), tmp_path), Asked())


def test_other_documents_are_another_task(tmp_path):
    """They have other targets that count, and another text to validate on."""
    make_run(tmp_path)
    make_run(tmp_path, r'data.documents="\n\n"')
    message = r"text stdlib byte, documents by `\\n\\n`"
    with pytest.raises(UserError, match=message):
        compare(find(runs(tmp_path), tmp_path), Asked())


def test_one_seed_gets_no_interval_and_no_p(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, WINDOW, floor=0.5)
    found = compare(find(runs(tmp_path), tmp_path), Asked())
    assert all(x.estimate.low is None and x.p_adjusted is None for x in found.results)
    assert any("Fewer than two seeds" in note for note in found.notes)


def test_runs_that_were_evaluated_on_different_amounts_are_noted(tmp_path):
    make_run(tmp_path, more={"val/tokens": 640.0})
    make_run(tmp_path, WINDOW, more={"val/tokens": 1280.0})
    notes = " ".join(compare(find(runs(tmp_path), tmp_path), Asked()).notes)
    assert "the runs were evaluated on 640 to 1,280 targets; eval.batches" in notes


def test_a_value_that_is_not_finite_is_left_out_and_named(tmp_path):
    cell = "grid/length=128/loss"
    for seed, value in enumerate((2.5, 6.5, math.nan)):
        make_run(tmp_path, f"seed={seed}", more={cell: 1.0 + seed})
        path = make_run(tmp_path, WINDOW, f"seed={seed}", more={cell: value})
    made = compare(find(runs(tmp_path), tmp_path), Asked(reference="mask=causal"))
    found = made.find(made.tasks[0], "mask=causal & window(back=8)", cell)
    assert found is not None
    assert found.test is not None
    assert found.estimate.n == found.test.n == 2
    assert found.p_adjusted is not None
    assert f"Left out, not finite: {cell} of {path.name}." in made.notes
    json.dumps(made.to_json(), allow_nan=False)
    first = compare(find(runs(tmp_path), tmp_path), Asked(metric=cell, goal="max"))
    show(first, Console(quiet=True))


def test_a_tuned_value_without_a_finite_mean_is_not_the_best(tmp_path):
    for rate, floor in (("1e-3", 1.0), ("1e-2", math.nan)):
        make_run(tmp_path, f"optim.lr={rate}", floor=floor)
    for goal in ("min", "max"):
        found = find(runs(tmp_path), tmp_path, best_of=["optim.lr"])
        made = compare(found, Asked(goal=goal))
        assert [*made.tuned.values()] == [{"optim.lr": 0.001}]


def test_one_seed_has_no_half(tmp_path):
    for rate in ("1e-3", "1e-2"):
        make_run(tmp_path, f"optim.lr={rate}")
    found = find(runs(tmp_path), tmp_path, best_of=["optim.lr"])
    with pytest.raises(UserError, match="--half needs two seeds or more, run has one"):
        compare(found, Asked(half=True))


def test_a_damaged_run_is_named_and_left_out_and_so_is_one_not_done(root):
    bad, late = runs(root)[0], runs(root)[1]
    (root / bad / "config.yaml").write_text("nonsense: [")
    manifest = json.loads((root / late / "manifest.json").read_text())
    changed = json.dumps(manifest | {"status": "diverged"})
    (root / late / "manifest.json").write_text(changed)
    found = compare(find(runs(root), root), Asked())
    assert len(found.runs) == 4
    said = "\n".join(found.notes)
    assert f"Left out, damaged: {bad}: its config.yaml is damaged" in said
    assert "is diverged" in said


def study(root, tuned=True):
    """An index over two variants x two rates x four seeds; the rate 0.01 is better."""
    entries = []
    for variant, mask in (("full", "causal"), ("window", "causal & window(back=8)")):
        for rate, better in ((0.01, 0.2), (0.001, 0.0)):
            for seed in range(4):
                settings = (f"model.mask={mask}", f"optim.lr={rate}", f"seed={seed}")
                floor = 1.0 - better + 0.01 * seed * (variant == "full")
                path = make_run(root, *settings, floor=floor)
                entries.append(Entry(path.name, variant, "text", {"optim.lr": rate}))
    index = Index(
        root / "s.sweep", "study", "S", "val/loss", "min", "full", tuple(entries)
    )
    index.write()
    return index


def test_the_best_rate_counts_and_is_stated_as_such(tmp_path):
    index = study(tmp_path)
    found = compare(find([index.name], tmp_path), Asked(reference="full"))
    assert found.tuned["text/full"] == {"optim.lr": 0.01}
    assert len(found.runs) == 8
    assert any("same validation data" in note for note in found.notes)
    half = compare(find([index.name], tmp_path), Asked(reference="full", half=True))
    assert set(half.find("text", "full", "val/loss").seeds) == {2, 3}
    assert any("one half of the seeds" in note for note in half.notes)


def test_what_is_unknown_is_one_line(root):
    found = find(runs(root), root)
    with pytest.raises(UserError, match="no variant `x`; there are"):
        compare(found, Asked(reference="x"))
    with pytest.raises(UserError, match="has no metric `val/los`; it has val/loss"):
        compare(found, Asked(metric="val/los"))
    with pytest.raises(UserError, match="--half is about tuned values, and these"):
        compare(found, Asked(half=True))
    with pytest.raises(UserError, match="no such run, sweep or config"):
        find(["nothing"], root)
    with pytest.raises(UserError, match="is the start of 6 runs"):
        find(["ru"], root)


def test_the_tables_show_markup_as_it_is(root, capsys):
    found = find(runs(root), root)
    show(compare(found, Asked(title="[bold]x")), Console(width=100))
    said = capsys.readouterr().out
    assert "95% interval" in said
    assert "reference" not in said.splitlines()[0]
    assert "Means over seeds" in said


def test_slices_have_their_intervals_and_shares_end_at_one(tmp_path, capsys):
    for seed in range(3):
        more = {"val/gap_1-8/accuracy": 0.5 + seed / 10, "val/accuracy": 0.8 + seed / 9}
        make_run(tmp_path, f"seed={seed}", more=more)
        make_run(tmp_path, f"seed={seed}", WINDOW, more=more)
    found = compare(find(runs(tmp_path), tmp_path), Asked(metric="val/accuracy"))
    show(found, Console(width=80))
    said = capsys.readouterr().out
    assert "accuracy by slice" in said
    assert "gap_1-8" in said
    assert "0.6000 ±0.2484" in said
    assert ".. 1.0000" in said
    assert "1.1" not in said.split("against")[0]


def test_noise_says_which_differences_can_be_seen(root):
    records, _ = read_runs(runs(root))
    causal = [each for each in records if each.config.model.mask == "causal"]
    found = noise(causal, "val/loss", [0.01, 0.2])
    assert found.estimate.n == 3
    assert found.sd_low < found.estimate.sd < found.sd_high
    needed = dict(found.needed)
    assert needed[0.01] > needed[0.2] >= 2
    with pytest.raises(UserError, match="at least two runs, got 1"):
        noise(causal[:1], "val/loss")
