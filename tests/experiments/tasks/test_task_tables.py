"""One file and one row: tables and files agree."""

import importlib
import pathlib
from operator import attrgetter

import pytest

import experiments.tasks
from experiments.config import names

ROOT = pathlib.Path(experiments.tasks.__file__).parent

# What a folder has beside one file for each name.
SHARED = {
    "__init__",
    "task",
    "phrases",
    "declaration",
    "documents",
    "parts",
    "token_files",
    "generated",
    "lazy",
    "slices",
    "words",
}
SHARED |= {"corpus", "vocabulary", "symbols", "tokenizer"}
TABLES = {
    "experiments.tasks": (ROOT, names.TASKS, ["TASK.options"]),
    "experiments.tasks.corpora": (ROOT / "corpora", names.SOURCES, ["read"]),
    "experiments.tasks.vocabularies": (
        ROOT / "vocabularies",
        names.VOCABULARIES,
        ["fit", "load"],
    ),
}


@pytest.mark.parametrize("package", TABLES)
def test_every_file_has_its_row_and_every_row_its_file(package):
    folder, table, functions = TABLES[package]
    files = {path.stem for path in folder.glob("*.py")} - SHARED
    assert files == set(table)
    for name in table:
        module = importlib.import_module(f"{package}.{name}")
        assert all(callable(attrgetter(each)(module)) for each in functions)
        assert table[name]
