"""Arguments that several verbs share."""

import pathlib

from experiments.commands.options import split_arguments


def test_overrides_are_told_from_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.yaml").write_text("seed: 1\n")
    words = ["seed=3", "a=b.yaml", "model.mask=causal & window(back=3)"]
    path, overrides = split_arguments(words)
    assert path == pathlib.Path("a=b.yaml")
    assert overrides == ["seed=3", "model.mask=causal & window(back=3)"]
