"""A tokenizer from a file: as the library reads it, whole, kept, or refused."""

import json

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from experiments import tasks
from experiments.config import ConfigError, load
from experiments.tasks import vocabularies
from experiments.tasks.vocabularies import UnknownCharacter, VocabularyError

TEXT = "a bad cafe; he had a big, bad idea\n\u00e9\u4e2d!\n" * 23
EXPECTED = "; expected a tokenizer.json, as the library `tokenizers` saves it."


def made(special="<|end|>") -> Tokenizer:
    """Byte pairs as in GPT-2, that say more than a text: padding, an end, a limit."""
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=277,
        show_progress=False,
        initial_alphabet=alphabet,
        special_tokens=[special],
    )
    found.train_from_iterator([TEXT], trainer)
    return found


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tokenizer.json")


def written(path, record):
    with open(path, "w", encoding="utf-8") as file:
        file.write(record if isinstance(record, str) else json.dumps(record))
    return vocabularies.fit(path, "", "", None)


def words(*tokens, **more):
    """The record of a tokenizer that knows some words, each by its number."""
    vocabulary = {token: number for number, token in enumerate(tokens)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "?"}
    blanks = {"type": "WhitespaceSplit"}
    return {"version": "1.0", "pre_tokenizer": blanks, "model": model | more}


def test_it_cuts_a_text_as_the_library_does(path):
    known = made()
    wanted = known.encode(TEXT).ids
    known.enable_truncation(5)
    known.enable_padding(length=4001)
    record = json.loads(known.to_str())
    record["model"]["dropout"] = 0.9  # other pieces each time
    found = written(path, record)
    assert found.encode(TEXT) == wanted
    assert found.decode(wanted) == TEXT
    assert found.size == known.get_vocab_size() == 277


def test_special_tokens_are_known_and_none_is_added(path):
    known = made()
    end = known.token_to_id("<|end|>")
    record = json.loads(known.to_str())
    record["post_processor"] = {
        "type": "BertProcessing",
        "sep": ["<|end|>", end],
        "cls": ["<|end|>", end],
    }
    found = written(path, record)
    assert found.encode("a<|end|>b").count(end) == 1
    assert found.decode(found.encode("a<|end|>b")) == "a<|end|>b"


def test_it_is_the_same_when_its_file_has_gone(path, tmp_path):
    before = written(path, made().to_str())
    (tmp_path / "tokenizer.json").unlink()
    after = vocabularies.from_json(before.to_json())
    assert (after.kind, after.size) == ("tokenizer", before.size)
    assert after.to_json() == before.to_json()
    assert after.encode(TEXT) == before.encode(TEXT)


def test_numbers_may_leave_some_out(path):
    found = written(path, words("a", "?", "b", vocab={"a": 0, "?": 1, "b": 11}))
    assert found.size == 12
    assert found.encode("b a c") == [11, 0, 1]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("", " is empty"),
        ("{", ": "),  # in the words of others
        ("[" * 100_000, ": "),
        ("[]", ": it has no `model`"),
        ({"a": 0, "b": 1}, ": it has no `model`"),
        ({"model": {"type": "BPE"}}, ": "),
        (words(), ": it has 0 tokens, and 1 to 4,194,304 will do"),
        (words(vocab={"a": 1 << 22}), ": it has 4,194,305 tokens, and 1 to"),
    ],
)
def test_what_is_no_tokenizer(path, record, message):
    with pytest.raises(VocabularyError) as caught:
        written(path, record)
    assert str(caught.value).startswith(path + message)
    assert str(caught.value).endswith(EXPECTED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mein.json", "no such file: mein.json (did you mean mine.json?)"),
        ("folder.json", "folder.json is no regular file"),
    ],
)
def test_no_file_is_refused_where_it_was_written(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    written("mine.json", made().to_str())
    (tmp_path / "text.txt").write_text(TEXT)
    config = load(None, ["data.path=text.txt", f"data.vocabulary={name}"])
    with pytest.raises(ConfigError) as caught:
        tasks.build(config.data)
    assert (
        str(caught.value) == f"override `data.vocabulary={name}`: {message}{EXPECTED}"
    )


def task_of(folder, saved=None):
    (folder / "text.txt").write_text(TEXT)
    found = {"path": folder / "text.txt", "vocabulary": folder / "tokenizer.json"}
    found |= {"context": 7, "batch": 3}
    config = load(None, [f"data.{key}={value}" for key, value in found.items()])
    return tasks.build(config.data, vocabulary=saved)


def test_a_task_reads_a_text_by_it(path, tmp_path):
    known = written(path, made().to_str())
    task = task_of(tmp_path)
    parts = [task.arrays[name].tolist() for name in ("train", "validation")]
    assert sum(map(len, parts)) == pytest.approx(len(known.encode(TEXT)), abs=2)
    assert known.decode(parts[0]) + known.decode(parts[1]) == TEXT
    assert task.bytes_per_token == len(known.decode(parts[1]).encode()) / len(parts[1])
    assert "tokenizer vocabulary of 277, sha256" in task.describe()
    (tmp_path / "tokenizer.json").unlink()
    assert task_of(tmp_path, known.to_json()).arrays["train"].tolist() == parts[0]


def test_one_that_loses_something_has_no_bits_per_byte(path, tmp_path):
    known = made()
    known.normalizer = normalizers.StripAccents()
    written(path, known.to_str())
    assert task_of(tmp_path).bytes_per_token  # composed letters have none to strip
    known.normalizer = normalizers.Replace("bad", "good")
    written(path, known.to_str())
    task = task_of(tmp_path)
    assert task.bytes_per_token is None
    assert "of 277, which does not give all of it back, sha256" in task.describe()


def test_a_text_that_it_has_no_tokens_for(path, tmp_path):
    found = written(path, words("a", "bad"))
    with pytest.raises(UnknownCharacter, match="cannot write the text: WordLevel"):
        found.encode("a good")
    with pytest.raises(ConfigError, match=r"`: the tokenizer cannot write the text"):
        task_of(tmp_path)
    with pytest.raises(UnknownCharacter, match="U\\+DCE9, which is no valid UTF-8"):
        found.encode("a\udce9")
