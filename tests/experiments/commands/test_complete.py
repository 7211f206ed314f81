"""Completion as the shells ask for it: bash cuts words at `=`, zsh and fish do not."""

import os
import subprocess
import sys

import pytest

from experiments.commands.complete import value_of, values
from tests.experiments.made import make_run


def offered(*words, cwd=None):
    """What bash gets for a command line of which the last word is being written."""
    environment = os.environ | {
        "COMP_WORDS": " ".join(("attn", *words)),
        "COMP_CWORD": str(len(words)),
        "_ATTN_COMPLETE": "complete_bash",
        "PYTHONPATH": os.getcwd(),
    }
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
    )
    words, _, imported = done.stdout.rpartition("imported ")
    assert imported.strip() == "[]", done.stderr
    return words.split()


# Asks, and says which of the slow libraries were imported for it.
ASK = """
import sys
from experiments.cli import main
try:
    main([])
except SystemExit:
    pass
print("imported", [name for name in ("jax", "flax", "altair") if name in sys.modules])
"""


def test_bash_completes_verbs_runs_keys_and_values(tmp_path):
    run = make_run(tmp_path / "runs", "name=attentive")
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    assert offered("ins") == ["inspect"]
    assert offered("resume", "att", cwd=tmp_path) == [run.name]
    assert offered("train", "min", cwd=tmp_path) == ["mine.yaml"]
    assert offered("train", "tiny") == ["tiny_lm"]
    assert offered("train", "tiny_lm", "optim.w") == ["optim.weight_decay="]
    assert offered("train", "optim.kind", "=", "m") == ["muon"]


@pytest.mark.parametrize(
    ("before", "incomplete", "expected"),
    [
        ([], "model.norm=", ["model.norm=layer", "model.norm=rms"]),
        (["model.norm", "="], "r", ["rms"]),
        (["model.norm"], "=", ["layer", "rms"]),
        ([], "model.tie=f", ["model.tie=false"]),
        ([], "no.such=", []),
        (
            [],
            "train.duration=",
            ["train.duration=2000steps", "train.duration=2e6tokens"],
        ),
    ],
)
def test_values_follow_their_key(before, incomplete, expected):
    found = value_of(before, incomplete)
    assert found is not None
    assert [word for word, _ in found] == expected


def test_a_word_without_equals_is_no_value():
    assert value_of(["tiny_lm"], "optim.") is None


def test_values_come_with_meanings():
    assert dict(values("data.kind", "induction")).keys() == {"induction"}
    assert dict(values("optim.kind", "muon"))["muon"].startswith("orthogonalised")
    assert ("null", "none") in values("sample.every", "")
