"""A name means a config that is here, or one that comes with the project."""

import pathlib

import pytest

from experiments import shipped
from experiments.config import load
from experiments.errors import UserError
from experiments.run import Run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text("name: tiny\n")
    return tmp_path


def test_a_config_by_path_or_by_name(folder, monkeypatch):
    place = folder / "shipped"
    place.mkdir()
    (place / "tiny_lm.yaml").write_text("seed: 1\n")
    monkeypatch.setattr(shipped, "configs_folder", lambda: place)
    path = place / "tiny_lm.yaml"
    for name in (None, "tiny_lm", "tiny_lm.yaml", "configs/tiny_lm.yaml"):
        assert shipped.find_config(name) == path
    (folder / "tiny_lm.yaml").write_text("seed: 2\n")  # the nearer file wins
    assert shipped.find_config("tiny_lm.yaml") == pathlib.Path("tiny_lm.yaml")


def test_a_run_is_no_config(folder):
    with Run.begin(load("tiny.yaml"), "runs") as run:
        pass
    with pytest.raises(UserError, match=r"is a run, not a config\. Did you mean `att"):
        shipped.find_config(str(run.path))
