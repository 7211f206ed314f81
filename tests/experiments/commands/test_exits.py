"""Every error that reaches the command line is one line and the right exit code."""

import contextlib
import errno
import http
import os
import pathlib
import subprocess
import sys

import pytest

from experiments import cli
from experiments.commands import exits
from experiments.errors import UserError
from tests.experiments.made import make_run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text("name: tiny\n")
    return tmp_path


def raised(monkeypatch, capsys, error, *words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "check_verb", fail)
    code = cli.main(["train", *words])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("a: b."), 2, "a: b.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            2,
            "runs/x: no space left on device. Free some, then run the same command "
            "again; it continues.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "runs"),
            2,
            "runs: permission denied.\n",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "x"),
            2,
            "x: no such file.\n",
        ),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes."),
            2,
            "Out of memory: make data.batch, data.context or model.width smaller,"
            " or compute a batch in parts with optim.accumulate.\n",
        ),
        (
            ZeroDivisionError("a\nb"),
            1,
            "Internal error, ZeroDivisionError: a b. Run again with --debug to see "
            "where.\n",
        ),
        (
            TypeError("\x1b[31m"),
            1,
            "Internal error, TypeError: \\x1b[31m. Run again",
        ),
    ],
)
def test_an_error_is_one_line(error, code, line, monkeypatch, capsys, folder):
    got, err = raised(monkeypatch, capsys, error)
    assert got == code
    assert err.startswith(line)
    assert err.count("\n") == 1


def test_a_value_error_of_ours_is_for_the_user(capsys, folder):
    import attn  # late: the other tests here do without JAX

    with pytest.raises(ValueError, match="unknown name") as caught:
        attn.parse("causl")
    assert exits.explain(caught.value)[0] == exits.USER


def test_a_value_error_of_others_is_a_defect():
    with pytest.raises(ValueError, match="not a valid") as caught:
        http.HTTPStatus(-1)
    assert exits.explain(caught.value)[0] == exits.INTERNAL


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_the_traceback_from_anywhere(place, folder, capsys):
    words = ["train", "gone.yaml"]
    words.insert(place, "--debug")
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("gone.yaml: no such file")


def test_a_reader_that_leaves_is_no_error(folder):
    env = os.environ | {"PYTHONPATH": str(pathlib.Path(cli.__file__).parents[1])}
    command = f"{sys.executable} -m experiments.cli list optimizers | true"
    done = subprocess.run(command, shell=True, capture_output=True, env=env)
    assert done.stderr == b""


@pytest.mark.parametrize("words", [["list", "optimizers"], ["runs", "tail"]])
def test_who_writes_for_nobody_has_done_it(words, folder, monkeypatch):
    make_run(folder / "runs")
    reading, writing = os.pipe()
    os.close(reading)
    said = os.fdopen(writing, "w", buffering=1)
    monkeypatch.setattr("sys.stdout", said)
    assert cli.main(words) == exits.DONE
    with contextlib.suppress(BrokenPipeError):
        said.close()
