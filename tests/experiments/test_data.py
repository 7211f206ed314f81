"""A run keeps the vocabulary it began with, and knows its text again."""

import json

import pytest

from experiments.config import ConfigError, load
from experiments.data import NAME, task_of, without_text
from experiments.errors import UserError
from experiments.run import Run

SONG = "the cat sat on the mat, and a dog ran to the red hill\n" * 53


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "song.txt"
    path.write_text(SONG)
    overrides = [f"data.path={path}", "data.vocabulary=char", "data.context=7"]
    with Run.begin(load(None, overrides), tmp_path / "runs") as run:
        yield run


def song(run):
    return run.path.parent.parent / "song.txt"


def test_the_vocabulary_is_kept_once_and_read_again(run):
    first = task_of(run, keep=True)
    kept = (run.path / NAME).read_bytes()
    record = json.loads(kept)
    # A kept vocabulary is used even where the text would give another one.
    record["vocabulary"]["characters"] = record["vocabulary"]["characters"][::-1]
    (run.path / NAME).write_text(json.dumps(record))
    again = task_of(run, keep=True)
    assert again.vocabulary.characters == first.vocabulary.characters[::-1]
    assert again.fingerprint == first.fingerprint
    assert json.loads((run.path / NAME).read_text()) == record


def test_looking_writes_nothing(run):
    task_of(run)
    assert not (run.path / NAME).exists()


@pytest.mark.parametrize("text", [SONG + "again\n", SONG + "\u00e9\n"])
def test_another_text_is_noticed(run, text):
    task_of(run, keep=True)
    song(run).write_text(text)
    with pytest.raises(UserError) as caught:
        task_of(run)
    assert str(caught.value) == (
        f"{run.path}: the text has changed since this run began; restore it, or start"
        " over with `attn train --fresh`."
    )


def test_a_missing_text_is_named(run):
    task_of(run, keep=True)
    song(run).unlink()
    with pytest.raises(ConfigError, match=r"no such file: .*song\.txt"):
        task_of(run)


def test_a_sample_needs_no_text(run):
    whole = task_of(run, keep=True)
    song(run).unlink()
    task = without_text(run)
    assert task.vocabulary.to_json() == whole.vocabulary.to_json()
    assert (task.fingerprint, task.context) == (whole.fingerprint, 7)


def test_a_missing_record_is_named(run):
    with pytest.raises(UserError, match=r"vocabulary\.json: it is missing; restore it"):
        without_text(run)


@pytest.mark.parametrize("read", [task_of, without_text])
@pytest.mark.parametrize(
    "record",
    [
        "",
        "[",
        "[]",
        "{}",
        '{"fingerprint": "x", "vocabulary": {"kind": "char"}}',
        "\x00",
    ],
)
def test_a_damaged_record_is_named(run, record, read):
    (run.path / NAME).write_text(record)
    with pytest.raises(UserError) as caught:
        read(run)
    text = str(caught.value)
    assert text.startswith(f"{run.path / NAME}: ")
    assert text.endswith("; restore it, or start over with `attn train --fresh`.")
    assert "\n" not in text
