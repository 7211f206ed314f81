"""What a user means by a config or a run."""

import os
import pathlib

import pytest

from experiments.commands import find
from experiments.config import load
from experiments.errors import UserError
from experiments.run import Run


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


def test_overrides_are_told_from_files(folder):
    (folder / "a=b.yaml").write_text("seed: 1\n")
    words = ["seed=3", "a=b.yaml", "model.mask=causal & window(back=3)"]
    path, overrides = find.split_arguments(words)
    assert path == pathlib.Path("a=b.yaml")
    assert overrides == ["seed=3", "model.mask=causal & window(back=3)"]
