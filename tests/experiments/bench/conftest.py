"""Contenders of the tests, for processes of their own."""

import os
import pathlib

import pytest

import experiments

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def importable(monkeypatch):
    """A worker finds the module `sleepers`."""
    root = pathlib.Path(experiments.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(HERE)]))
