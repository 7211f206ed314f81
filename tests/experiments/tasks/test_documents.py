"""Documents of a text: where they end, which token is of which, what counts."""

import jax
import numpy as np
import pytest

from experiments import tasks
from experiments.config import ConfigError, load
from experiments.tasks import documents
from experiments.tasks.task import SPLITS, Packed

SIZES = (11, 2, 5, 3, 1, 7, 13, 1, 1, 17, 4, 19, 3, 6, 2, 23, 5, 8, 2, 29)


def marked():
    """A text in which each character stands once but for the `|` behind documents."""
    letters = iter(range(0x4E00, 0x5000))
    return "".join("".join(chr(next(letters)) for _ in range(n)) + "|" for n in SIZES)


def task_of(folder, content=None, **values):
    path = folder / "text.txt"
    if content is not None:
        path.write_text(content)
    values = {"context": 7, "batch": 5, "path": path, "vocabulary": "char"} | values
    config = load(None, [f"data.{key}={value}" for key, value in values.items()])
    return tasks.build(config.data)


def windows(task, split, steps):
    """The rows of some batches, drawn in one jitted call as training draws them."""
    draw = jax.jit(lambda step: task.batch(task.arrays, 3, split, step))
    for step in range(steps):
        found = draw(np.int32(step))
        assert isinstance(found, Packed)
        assert found.segment.dtype == np.int32
        each = (found.tokens, found.targets, found.weights, found.segment)
        yield from zip(*map(np.asarray, each), strict=True)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    return task_of(folder, marked(), documents="|", validation=0.3)


def text_of(task):
    return {x: task.vocabulary.decode(np.array(task.arrays[x])) for x in SPLITS}


def test_every_token_says_of_which_document_it_is(task):
    """As counting the ends before each place says, in NumPy; a place is a character."""
    text = text_of(task)["train"]
    numbers = np.cumsum([False, *(c == "|" for c in text[:-1])])
    for tokens, targets, weights, segment in windows(task, "train", 29):
        window = task.vocabulary.decode([*tokens, targets[-1]])
        at = text.index(window)
        wanted = numbers[at : at + 8]
        assert segment.tolist() == (wanted - wanted[0])[:-1].tolist()
        assert weights.tolist() == (wanted[1:] == wanted[:-1]).tolist()


def test_all_targets_count_once_but_the_first_of_each_document(task):
    text = text_of(task)["validation"]
    rows = windows(task, "validation", task.validation_steps)
    counted = [t for _, row, weights, _ in rows for t in row[weights > 0]]
    wanted = "".join(document[1:] + "|" for document in text.split("|")[:-1])
    assert sorted(task.vocabulary.decode(counted)) == sorted(wanted)


def test_no_document_is_cut_in_two(task):
    """127 of 182 characters would be in document 16, from 110 to 134."""
    text = text_of(task)
    assert text["train"] + text["validation"] == marked()
    assert text["train"].endswith("|")
    assert len(text["train"]) == sum(SIZES[:16]) + 16 == 134
    assert "20 documents, char vocabulary" in task.summary


@pytest.mark.parametrize(
    ("place", "cut"), [(0, 3), (3, 3), (5, 3), (7, 8), (90, 9), (99, 9)]
)
def test_the_cut_is_at_the_nearest_end_but_the_last(place, cut):
    assert documents.nearest([3, 8, 9, 99], place) == cut
    assert documents.split([3, 8, 9, 99], 8) == ([3, 8], [1, 91])


def test_pieces_do_not_reach_over_an_end(tmp_path):
    """A blank and a word are a piece of a text, but not where the blank ends one."""
    values = {"vocabulary": "bpe", "vocabulary_size": 300, "validation": 0.5}
    content = "cab cab " * 97
    whole = task_of(tmp_path, content, **values)
    task = task_of(tmp_path, content, documents="' '", **values)
    assert whole.arrays["train"].size < task.arrays["train"].size
    parts = np.split(np.array(task.arrays["train"]), task.arrays["ends"]["train"])
    assert {task.vocabulary.decode(part) for part in parts[:-1]} == {"cab "}
    assert not parts[-1].size


def test_a_file_is_a_document_and_ends_one(tmp_path):
    for name, content in zip("abcd", ("one|two", "", "th\u00e9", "four"), strict=True):
        (tmp_path / f"{name}.txt").write_text(content)

    def found(separator):
        values = {"vocabulary": "byte", "context": 2, "path": tmp_path}
        task = task_of(tmp_path, documents=separator, **values)
        last = task.arrays["train"].size
        inner = [last + end for end in task.arrays["ends"]["validation"].tolist()]
        return [*task.arrays["ends"]["train"].tolist(), *inner], task.fingerprint

    whole = b"one|two\nth\xc3\xa9\nfour\n"
    files, with_text = found("files"), found("|")
    assert files[0] == [8, 13, len(whole)]
    assert with_text[0] == [4, 8, 13, len(whole)]
    plain = task_of(tmp_path, path=tmp_path, context=1, vocabulary="byte").fingerprint
    assert len({files[1], with_text[1], plain}) == 3


@pytest.mark.parametrize(
    ("separator", "message"),
    [
        (
            "files",
            "text.txt is one file, so one document; expected at least two, or the text"
            ' that ends a document, such as "\\n\\n".',
        ),
        (
            "--",
            "`--` ends no document but the last of text.txt; expected a text that"
            " stands in it.",
        ),
        (
            "\\n",
            "`\\n` ends no document but the last of text.txt; expected a text that"
            ' stands in it (in double quotes "\\n" ends a line).',
        ),
    ],
)
def test_one_document_is_none(tmp_path, monkeypatch, separator, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        task_of(tmp_path, "one\ntwo--", path="text.txt", documents=separator)
    assert str(caught.value) == f"override `data.documents={separator}`: {message}"


@pytest.mark.parametrize(
    ("text", "begun", "at"),
    [("ab||cd||", 2, 4), ("ab||cd||", 4, 8), ("ab||cd", 3, 4), ("ab|", 0, 0)],
)
def test_a_text_goes_on_to_the_end_of_its_document(text, begun, at):
    """One that a prompt begins counts; one that is all prompt does not."""
    assert documents.ended(text, "||", begun) == at
