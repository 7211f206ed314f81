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


def test_a_config_by_path_or_by_name(folder, monkeypatch):
    shipped = folder / "shipped"
    shipped.mkdir()
    (shipped / "tiny_lm.yaml").write_text("seed: 1\n")
    monkeypatch.setattr(find, "configs_folder", lambda: shipped)
    path = shipped / "tiny_lm.yaml"
    for name in (None, "tiny_lm", "tiny_lm.yaml", "configs/tiny_lm.yaml"):
        assert find.find_config(name) == path
    (folder / "tiny_lm.yaml").write_text("seed: 2\n")  # the nearer file wins
    assert find.find_config("tiny_lm.yaml") == pathlib.Path("tiny_lm.yaml")


def test_a_run_is_no_config(folder):
    with Run.begin(load("tiny.yaml"), "runs") as run:
        pass
    with pytest.raises(UserError, match=r"is a run, not a config\. Did you mean `att"):
        find.find_config(str(run.path))


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
