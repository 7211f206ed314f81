"""The runs that a user means."""

import os
import pathlib

import pytest

from experiments import find
from experiments.compare import members
from experiments.config import load
from experiments.errors import UserError
from experiments.run import Run
from tests.experiments.made import make_run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text("name: tiny\n")
    return tmp_path


def test_a_run_by_path_name_start_or_as_the_latest(folder):
    root, made = pathlib.Path("runs"), []
    for width in (8, 16, 24):
        config = load("tiny.yaml", [f"model.width={width}", f"name=w{width}"])
        with Run.begin(config, root) as run:
            made.append(run.path)
        os.utime(run.path / "manifest.json", (width, width))
    assert find.find_run(None, root) == made[2]
    for name in (str(made[0]), made[0].name, "w8", f"{made[0]}/"):
        assert find.find_run(name, root) == made[0]
    with pytest.raises(UserError, match=r"w: is the start of 3 runs: w16-"):
        find.find_run("w", root)
    with pytest.raises(UserError, match=r"x8: no such run\. Did you mean `w8-|Known"):
        find.find_run("x8", root)


def test_a_whole_name_is_no_start_of_a_longer_one(folder):
    root, names = pathlib.Path("runs"), ("tiny", "tiny_lm")
    for name in names:
        with Run.begin(load("tiny.yaml", [f"name={name}"]), root):
            pass
    for name in names:
        assert find.find_run(name, root).name.startswith(f"{name}-")


@pytest.fixture
def only(folder):
    """The one run there is."""
    root = pathlib.Path("runs")
    with Run.begin(load("tiny.yaml"), root) as run:
        return run.path


@pytest.mark.parametrize("name", ["", ".", "/", "old/tiny", "/tiny", "../tiny"])
def test_a_name_in_another_folder_is_no_run_here(only, name):
    with pytest.raises(UserError, match="no such run"):
        find.find_run(name, only.parent)
    if name not in ("", ".", "/"):  # those are folders, which may hold runs
        with pytest.raises(UserError, match="no such run"):
            find.find_runs([name], only.parent)
        with pytest.raises(UserError, match="no such run"):
            members.find([name], only.parent)


def test_a_name_may_stand_behind_the_folder_of_all_runs(only):
    for name in ("tiny", "runs/tiny", f"{only.parent.resolve()}/tiny", "./runs/tiny"):
        assert find.find_run(name, only.parent) == only
        assert find.find_runs([name], only.parent) == [only]


def test_a_comparison_knows_a_whole_name_from_the_start_of_another(folder):
    root = pathlib.Path("runs")
    paths = [make_run(root, f"name={name}") for name in ("w", "w_wide")]
    assert members.find(["w"], root).members[0].record.path == paths[0]
