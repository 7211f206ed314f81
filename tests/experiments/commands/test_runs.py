"""`attn runs`: list, show, follow, remove, export; `load_runs` reads the same."""

import csv
import io
import json

import pytest

import experiments
from experiments import storage
from experiments.cli import main
from experiments.errors import UserError
from experiments.find import find_runs
from tests.experiments.made import STEPS, make_run


@pytest.fixture
def root(tmp_path):
    make_run(tmp_path, "name=good", "tags=[x]", floor=2.0)
    make_run(tmp_path, "name=better", floor=1.0)
    make_run(tmp_path, "name=dead", status="running")
    bad = make_run(tmp_path, "name=bad")
    (bad / "config.yaml").write_text("zebra: 1")
    return tmp_path


def listed(root, *words, capsys):
    assert main(["runs", "ls", "--runs", str(root), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_ls_tells_what_became_of_each(root, capsys):
    rows = listed(root, capsys=capsys)
    status = {row["run"].split("-")[0]: row["status"] for row in rows}
    assert status == {
        "good": "done",
        "better": "done",
        "dead": "killed",
        "bad": "damaged",
    }
    good = next(row for row in rows if row["run"].startswith("good"))
    assert (good["step"], good["steps"], good["task"]) == (STEPS, STEPS, "text")
    assert good["tags"] == ["x"]


def test_ls_sorts_and_filters(root, capsys):
    names = [row["run"][:4] for row in listed(root, "--sort", "loss", capsys=capsys)]
    assert names.index("bett") < names.index("good") < names.index("bad-")
    killed = listed(root, "--status", "killed", capsys=capsys)
    assert [row["run"][:4] for row in killed] == ["dead"]
    assert len(listed(root, "--tag", "x", capsys=capsys)) == 1
    assert listed(root, "--task", "mqar", capsys=capsys) == []
    assert main(["runs", "ls", "--runs", str(root), "--sort", "los"]) == 2
    assert "Did you mean `loss`?" in capsys.readouterr().err
    assert main(["runs", "ls", "--runs", str(root), "--status", "failed"]) == 0
    assert capsys.readouterr() == ("", "No run is like that.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--status", "kiled"], "--status has no `kiled`. Did you mean `killed`?"),
        (["--status", "typo"], "--status has no `typo`. Known: new, running, done,"),
        (["--task", "mqarr"], "--task has no `mqarr`. Did you mean `mqar`?"),
    ],
)
def test_ls_refuses_what_no_run_can_be(root, capsys, words, said):
    assert main(["runs", "ls", "--runs", str(root), *words]) == 2
    assert capsys.readouterr().err.startswith(f"attn runs ls: {said}")


def test_show_and_tail_draw_the_loss(root, capsys):
    assert main(["runs", "show", "good", "--runs", str(root)]) == 0
    said = capsys.readouterr().out
    assert "train/loss" in said
    assert any("\u2800" < sign < "\u2900" for sign in said)
    assert main(["runs", "tail", "good", "--runs", str(root)]) == 0
    assert "status done" in capsys.readouterr().out
    assert main(["runs", "show", "bad", "--runs", str(root)]) == 2
    assert "config.yaml is damaged" in capsys.readouterr().err


def test_rm_asks_and_refuses_what_is_not_its_own(root, capsys):
    path = find_runs(["good"], root)[0]
    assert main(["runs", "rm", "good", "--runs", str(root)]) == 2
    assert "say --yes" in capsys.readouterr().err
    with storage.take_lock(path / "lock"):
        assert main(["runs", "rm", "good", "--runs", str(root), "--yes"]) == 2
    assert "in use by process" in capsys.readouterr().err
    (root / "thesis").mkdir()
    (root / "thesis" / "manifest.json").write_text("{}")
    assert main(["runs", "rm", "thesis", "--runs", str(root), "--yes"]) == 2
    assert "not a run directory" in capsys.readouterr().err
    (root / "link").symlink_to(path)
    assert main(["runs", "rm", str(root / "link"), "--yes"]) == 2
    assert path.exists()
    assert main(["runs", "rm", "good", "--runs", str(root), "--yes"]) == 0
    assert not path.exists()
    assert (root / "thesis").exists()


def test_to_csv_is_tidy(root, capsys):
    assert main(["runs", "to-csv", "good", "--runs", str(root)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["metric"] for row in rows} >= {"train/loss", "val/loss"}
    assert len([row for row in rows if row["metric"] == "train/loss"]) == STEPS
    assert {row["status"] for row in rows} == {"done"}


def test_frames_hold_the_same(root):
    pytest.importorskip("pandas", reason="pandas is an extra")
    frame = experiments.load_runs(root=root)
    assert len(frame) == 3
    assert list(frame.attrs["damaged"]) == [p.name for p in find_runs(["bad"], root)]
    assert set(frame["config.model.layers"]) == {4}
    curves = experiments.load_runs("good", root=root, curves=True)
    assert len(curves[curves.metric == "train/loss"]) == STEPS


def test_runs_are_found_by_folder_start_and_path(root):
    assert len(find_runs([], root)) == 4
    assert find_runs(["good", "good"], root) == find_runs(["good"], root)
    assert len(find_runs([str(root)], root / "elsewhere")) == 4
    with pytest.raises(UserError, match=r"goop: no such run"):
        find_runs(["goop"], root)
    with pytest.raises(UserError, match="no runs yet"):
        find_runs([], root / "elsewhere")


def test_report_writes_the_page(root, capsys, tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", "--runs", str(root), "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bytes"] == out.stat().st_size
    assert len(found["runs"]) == 3
    assert len(found["left_out"]) == 1
    assert main(["report", "--runs", str(root), "--out", "x.pdf"]) == 2
    assert "--out ends in .html" in capsys.readouterr().err
