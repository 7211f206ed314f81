"""The metrics of a run, told before it begins."""

import pytest

from experiments.cli import main
from experiments.config import ConfigError, load
from experiments.config.many import load_many
from experiments.metrics import metrics_of, unknown
from experiments.sweep.checks import check_metric

TINY = """\
name: small
model: {layers: 1, heads: 1, width: 8, hidden: 8}
data: {kind: copy, batch: 2}
train: {duration: 4steps}
eval: {batches: 4, grid: {length: [4, 5]}}
log: {maps_every: 2steps}
sample: {every: null}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_a_text_has_bits_per_byte_and_what_is_watched_is_there(folder):
    assert "heads/induction" in metrics_of(load("tiny.yaml"))
    assert "heads/induction" not in metrics_of(
        load("tiny.yaml", ["log.maps_every=null"])
    )
    assert unknown("val/bpb", load(None)) == ""
    assert "no metric `val/bpb`" in unknown("val/bpb", load("tiny.yaml"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["noise", "tiny.yaml", "--metric", "val/exact_mach"],
            "attn noise --metric: runs of small will have no metric `val/exact_mach`."
            " Did you mean `val/exact_match`?\n",
        ),
        (
            ["sweep", "many.yaml"],
            "many.yaml:8: sweep.metric: runs of small will have no metric `grid/length="
            "6/accuracy`. Did you mean `grid/length=5/accuracy`?\n",
        ),
    ],
)
def test_another_is_refused_before_anything_runs(folder, capsys, words, said):
    lines = "sweep: {metric: 'grid/length=6/accuracy', seeds: 2}\n"
    (folder / "many.yaml").write_text(TINY + lines)
    assert main(words) == 2
    assert capsys.readouterr().err == said
    assert not (folder / "runs").exists()


def test_each_run_of_a_study_has_it_but_one_of_a_sweep_may_lack_it(folder):
    base = TINY.replace(", grid: {length: [4, 5]}", "")
    (folder / "sweep.yaml").write_text(
        base + "sweep: {metric: val/exact_match, axes: {data.kind: [copy, modular]}}\n"
    )
    many = load_many("sweep.yaml")
    check_metric(many, many.points)
    (folder / "study.yaml").write_text(
        f"{base}study:\n  metric: val/exact_match\n  variants: {{a: {{}}}}\n"
        "  tasks: {one: {data.kind: copy}, two: {data.kind: modular}}\n"
    )
    many = load_many("study.yaml")
    with pytest.raises(ConfigError, match=r"study\.yaml:9: study\.metric: runs of"):
        check_metric(many, many.points)
