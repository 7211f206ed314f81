"""Vocabularies: text to tokens and back, and what they cannot write."""

import json
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.tasks import vocabularies
from experiments.tasks.vocabularies import UnknownCharacter, VocabularyError, bpe

ALPHABET = "\n !abcdefghij\u00e9\u4e2d\U0001f600"
TEXT = "a bad cafe; he had a big, bad idea\n\u00e9\u4e2d!\n" * 23
WHOLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=97)


def made(kind, train=TEXT, validation="", size=None):
    return vocabularies.fit(kind, train, validation, size)


BYTE, BPE = made("byte"), made("bpe", size=277)
CHAR = made("char", ALPHABET)


@pytest.mark.parametrize("vocabulary", [BYTE, BPE], ids=["byte", "bpe"])
@given(text=WHOLE)
@settings(max_examples=199, deadline=None)
def test_any_text_comes_back(vocabulary, text):
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert all(type(i) is int and 0 <= i < vocabulary.size for i in ids)


@given(text=st.text(ALPHABET, max_size=97))
@settings(max_examples=97, deadline=None)
def test_text_of_the_alphabet_comes_back(text):
    ids = CHAR.encode(text)
    assert CHAR.decode(ids) == text
    assert len(ids) == len(text)


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_json_brings_the_same_vocabulary_back(kind):
    before = made(kind)
    after = vocabularies.from_json(before.to_json())
    assert after.kind == kind
    assert after.size == before.size
    assert after.to_json() == before.to_json()
    assert after.encode(TEXT) == before.encode(TEXT)
    assert after.decode(range(after.size)) == before.decode(range(before.size))


def test_sizes():
    assert (BYTE.size, CHAR.size, BPE.size) == (256, len(ALPHABET), 277)


def test_bytes_are_bytes():
    assert BYTE.encode("A\u00e9") == [0x41, 0xC3, 0xA9]
    assert BYTE.decode([0xC3]) == "\ufffd"  # half a character, as a sample may have


def test_characters_are_numbered_by_their_codes_in_both_parts():
    assert made("char", "cab", "d").characters == "abcd"


def test_tokens_is_encode_as_an_array():
    for vocabulary in (BYTE, CHAR, BPE):
        tokens = vocabulary.tokens("abba\n")
        assert isinstance(tokens, np.ndarray)
        assert tokens.tolist() == vocabulary.encode("abba\n")
        assert vocabulary.tokens("").shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "abQ",
            "character 3 is `Q` U+0051 LATIN CAPITAL LETTER Q, which is not among the"
            " 16 characters the model learned; leave it out, or train with"
            " data.vocabulary=byte.",
        ),
        ("\tab", "character 1 is U+0009, which is not among"),
        ("a\u202eb", "character 2 is U+202E RIGHT-TO-LEFT OVERRIDE, which is not"),
        ("a\udce9", "character 2 is U+DCE9, which is not among"),
    ],
)
def test_an_unknown_character_is_named(text, message):
    with pytest.raises(UnknownCharacter) as caught:
        CHAR.encode(text)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("vocabulary", [BYTE, BPE], ids=["byte", "bpe"])
def test_half_a_character_is_refused(vocabulary):
    with pytest.raises(UnknownCharacter) as caught:
        vocabulary.encode("ab\udce9")
    assert str(caught.value) == (
        "character 3 is U+DCE9, which is no valid UTF-8; leave it out."
    )


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[",
        "[" * 100_000,
        "3",
        "[]",
        "{}",
        '{"kind": 3}',
        '{"kind": "words"}',
        '{"kind": "char"}',
        '{"kind": "char", "characters": ""}',
        '{"kind": "char", "characters": "aba"}',
        '{"kind": "char", "characters": 5}',
        '{"kind": "char", "characters": ["a"]}',
        '{"kind": "numbers", "size": 0}',
        '{"kind": "numbers", "size": "9"}',
        '{"kind": "bpe"}',
        '{"kind": "bpe", "merges": [["a"]]}',
        '{"kind": "bpe", "merges": [["a", "b", "c"]]}',
        '{"kind": "bpe", "merges": [["ab", "c"]]}',
        '{"kind": "bpe", "merges": [[1, 2]]}',
        '{"kind": "bpe", "merges": 7}',
    ],
)
def test_a_damaged_record_is_refused_in_one_line(record):
    with pytest.raises(VocabularyError) as caught:
        vocabularies.from_json(record)
    assert str(caught.value).startswith("vocabulary: ")
    assert "\n" not in str(caught.value)


def test_numbers_are_words_of_digits():
    numbers = made("numbers", "12 7\n3", "0 10")
    assert numbers.size == 13
    assert numbers.encode(" 12\n\n07 ") == [12, 7]
    assert numbers.decode([12, 7]) == "12 7"
    assert vocabularies.from_json(numbers.to_json()).size == 13
    for text, word in (
        ("1 13", "2 is `13`"),
        ("-1", "1 is `-1`"),
        ("1 \u0661", "2 is"),
    ):
        with pytest.raises(
            UnknownCharacter, match=rf"^word {word}.*from 0 to 12, with"
        ):
            numbers.encode(text)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(VocabularyError, match=r"'chars'\. Did you mean `char`\?"):
        vocabularies.from_json('{"kind": "chars"}')


def test_pieces_come_from_the_training_text_only():
    assert made("bpe", TEXT, "zzzz " * 97).to_json() == made("bpe", TEXT).to_json()
    assert made("bpe", "zzzz " * 97).to_json() != made("bpe", TEXT).to_json()


def test_frequent_pairs_become_pieces():
    learned = made("bpe", "the cat\n" * 97, size=271)
    assert len(learned.encode("the cat")) < len("the cat") / 2
    assert len(learned.encode("xyz")) == 3


@pytest.mark.parametrize("train", ["", "a", "ab"])
def test_a_short_text_gives_fewer_pieces(train):
    assert made("bpe", train, size=300).size == 256
    assert made("bpe", train).decode(made("bpe", train).encode("any")) == "any"


def test_merges_that_meet_in_one_piece_share_its_number():
    merges = [["a", "b"], ["b", "c"], ["ab", "c"], ["a", "bc"]]
    record = json.dumps({"kind": "bpe", "merges": merges})
    vocabulary = vocabularies.from_json(record)
    assert vocabulary.size == 256 + 3
    assert vocabulary.decode(vocabulary.encode("abc")) == "abc"


def test_a_text_without_spaces_is_learned_quickly():
    genome = "".join(random.Random(0).choices("acgt", k=200_000))
    began = time.process_time()
    vocabulary = made("bpe", genome, size=320)
    assert vocabulary.decode(vocabulary.encode(genome)) == genome
    assert time.process_time() - began < 20  # it was minutes


@given(text=st.text("ab \n", max_size=211))
@settings(max_examples=97, deadline=None)
def test_chunks_are_the_text(text):
    old, bpe.CHUNK = bpe.CHUNK, 7
    try:
        chunks = list(bpe._chunks(text))
    finally:
        bpe.CHUNK = old
    assert "".join(chunks) == text
    assert all(chunks)
    assert all(len(chunk) <= 14 for chunk in chunks)


def test_a_long_text_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(bpe, "SAMPLE", 640)
    text = "".join(chr(0x4E00 + i) for i in range(6701))
    pieces = list(bpe._sample(text))
    assert {len(piece) for piece in pieces} == {10}
    assert pieces[0][0] == text[0]
    assert pieces[-1][-1] == text[-1]
    assert len(set("".join(pieces))) == 640  # none is counted twice
