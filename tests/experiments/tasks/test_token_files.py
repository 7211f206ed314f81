"""Token files: which numbers are read, what they mean, and what is refused."""

import hashlib

import jax
import numpy as np
import pytest

from experiments import tasks
from experiments.config import ConfigError, load
from experiments.tasks import token_files, vocabularies
from experiments.tasks.vocabularies.numbers import NumberVocabulary

TRAIN = np.random.default_rng(5).permutation(997)
VALIDATION = np.arange(1009, 1100)


def loaded(**values):
    values = {"path": "train.bin", "vocabulary": "numbers", "context": 7} | values
    overrides = [f"data.{key}={value}" for key, value in values.items()]
    return load(None, [*overrides, "data.batch=5"])


def built(saved=None, **values):
    return tasks.build(loaded(**values).data, vocabulary=saved)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Files as nanoGPT's scripts write them; each number stands in them once."""
    monkeypatch.chdir(tmp_path)
    TRAIN.astype("<u2").tofile("train.bin")
    VALIDATION.astype("<u2").tofile("val.bin")
    return tmp_path


def test_both_files_are_read_and_keep_apart():
    task = built()
    assert task.arrays["train"].dtype == np.uint16
    assert np.array_equal(task.arrays["train"], TRAIN)
    assert np.array_equal(task.arrays["validation"], VALIDATION)
    draw = jax.jit(lambda step: task.batch(task.arrays, 3, "train", step))
    after = dict(zip(TRAIN[:-1].tolist(), TRAIN[1:].tolist(), strict=True))
    for step in range(3):
        batch = draw(np.int32(step))
        wanted = [after[token] for token in np.ravel(batch.tokens).tolist()]
        assert np.ravel(batch.targets).tolist() == wanted
    assert task.vocabulary.size == 1100
    assert task.bytes_per_token is None
    assert task.summary == (
        "text of train.bin and val.bin: 997 training and 91 validation tokens,"
        " numbers vocabulary of 1100"
    )


def test_files_are_mapped_and_not_copied(folder):
    parts = token_files.read(loaded().data, None)
    assert isinstance(parts.train.ids, np.memmap)
    assert isinstance(parts.validation.ids, np.memmap)


def test_without_a_second_file_the_tail_is_for_validation(folder):
    (folder / "train.bin").rename("mine.bin")
    task = built(path="mine.bin", validation=0.3)
    parts = [np.asarray(task.arrays[name]) for name in ("train", "validation")]
    assert np.array_equal(np.concatenate(parts), TRAIN)
    assert len(parts[0]) == 697
    digest = hashlib.sha256((folder / "mine.bin").read_bytes()).hexdigest()
    assert task.fingerprint == digest


def test_each_file_and_what_ends_documents_make_the_fingerprint():
    first = built().fingerprint
    ended = built(documents="1013").fingerprint
    VALIDATION[::-1].astype("<u2").tofile("val.bin")
    assert len({first, ended, built().fingerprint}) == 3


def test_a_token_ends_a_document():
    """Of a vocabulary of numbers the text of a token is its number."""
    ends = [int(np.flatnonzero(TRAIN == 7)[0]) + 1, 997]
    task = built(documents="'7'")
    assert task.arrays["ends"]["train"].tolist() == ends
    assert task.arrays["ends"]["validation"].tolist() == [91]
    two = built(documents=f"{TRAIN[41]} {TRAIN[42]}")
    assert two.arrays["ends"]["train"].tolist() == [43, 997]


def test_bytes_mean_text():
    text = "to be, or n\u00f6t to be\n" * 11
    for name in ("train.bin", "val.bin"):
        np.frombuffer(text.encode(), np.uint8).astype("<u2").tofile(name)
    task = built(vocabulary="byte", documents=r'"be\n"')
    assert task.arrays["train"].dtype == np.uint8
    assert task.vocabulary.decode(np.array(task.arrays["train"])) == text
    assert task.bytes_per_token == 1
    assert task.arrays["ends"]["train"].size == 11


def test_a_kept_vocabulary_is_used_and_has_to_fit():
    larger, smaller = (NumberVocabulary(size).to_json() for size in (2000, 1000))
    assert built(larger).vocabulary.size == 2000
    with pytest.raises(vocabularies.UnknownCharacter, match="there is number 1,099"):
        built(smaller)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "train.bin is empty"),
        (b"abc", "train.bin has an odd number of bytes"),
        ((20240520).to_bytes(4, "little"), "train.bin begins with a header of llm.c"),
    ],
)
def test_what_is_no_token_file(folder, content, message):
    (folder / "train.bin").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        built()
    assert str(caught.value) == (
        f"override `data.path=train.bin`: {message}; expected numbers of 16 bits and"
        " nothing else, as nanoGPT writes them."
    )


REMEDY = "expected the tokenizer.json that train.bin was made with, or numbers."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"vocabulary": "byte"},
            "override `data.vocabulary=byte`: byte has 256 tokens, and there is number"
            f" 1,099; {REMEDY}",
        ),
        (
            {"vocabulary": "char"},
            f"override `data.vocabulary=char`: char is made from a text; {REMEDY}",
        ),
        (
            {"path": "none.bin"},
            "override `data.path=none.bin`: no such file: none.bin; expected a file, a"
            " folder or a glob.",
        ),
        (
            {"path": "*.bin"},
            "override `data.path=*.bin`: is 2 files; expected one token file.",
        ),
        (
            {"documents": "files"},
            "override `data.documents=files`: a token file is one document; expected"
            " the text of the tokens that end one.",
        ),
        (
            {"path": "mine.bin", "documents": "'1099'"},
            "override `data.documents='1099'`: `1099` ends no document but the last of"
            " mine.bin; expected a text that stands in it.",
        ),
    ],
)
def test_what_does_not_fit(folder, values, message):
    if values.get("path") == "mine.bin":
        np.append(TRAIN, 1099).astype("<u2").tofile("mine.bin")
    with pytest.raises(ConfigError) as caught:
        built(**values)
    assert str(caught.value) == message


def test_a_sample_of_numbers_begins_with_a_number():
    assert loaded().sample.prompt == "0"
    assert load(None).sample.prompt == "\n"


def test_a_file_shorter_than_what_ends_a_document_has_one(folder):
    np.array([1, 2], "<u2").tofile("mine.bin")
    with pytest.raises(ConfigError, match="`1 2 1 2` ends no document but the last of"):
        built(path="mine.bin", documents="1 2 1 2")
