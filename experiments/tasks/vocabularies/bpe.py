"""Byte pairs: bytes, and pieces merged from the most frequent pairs of pieces."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from experiments.tasks.vocabularies.vocabulary import Vocabulary, utf8

DEFAULT_SIZE = 512
SAMPLE = 1 << 21  # characters that are counted, about a second's work
PIECES = 64  # places of the text the sample is taken from
# Counting takes the square of a word's length: a genome, or Chinese, has no spaces.
LONGEST = 512
CHUNK = 1 << 16  # characters encoded at once, so that cores share a long text

# The 256 bytes, each as one visible character; sorted, the order is always the same.
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


class BpeVocabulary(Vocabulary):
    """A token is a byte or a piece of a word; nothing is ever unknown.

    Args:
      merges: pairs of pieces in the order they are merged.

    Reference:
      Sennrich, Haddow, Birch 2016, Neural machine translation of rare words with
      subword units, arXiv:1508.07909; on bytes as in GPT-2 (Radford et al. 2019).
    """

    kind = "bpe"

    def __init__(self, merges: Iterable[tuple[str, str]]):
        self.merges = [(left, right) for left, right in merges]
        numbers = {piece: number for number, piece in enumerate(ALPHABET)}
        for left, right in self.merges:
            if left not in numbers or right not in numbers:
                raise ValueError(f"merges: {left!a} {right!a} is of unknown pieces")
            numbers.setdefault(left + right, len(numbers))
        self._tokenizer = _tokenizer(models.BPE(vocab=numbers, merges=self.merges))

    @property
    def size(self) -> int:
        return self._tokenizer.get_vocab_size()

    def tokens(self, text: str) -> np.ndarray:
        utf8(text)  # refuses half characters
        return encoded(self._tokenizer, text)

    def decode(self, ids: Iterable[int]) -> str:
        return self._tokenizer.decode([int(i) for i in ids])

    def record(self) -> dict[str, Any]:
        return {"merges": [list(pair) for pair in self.merges]}


def _tokenizer(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def encoded(tokenizer: Tokenizer, text: str) -> np.ndarray:
    """The tokens [n] int32 of a text of any length, none added before or behind."""
    chunks = list(_chunks(text))
    found = tokenizer.encode_batch_fast(chunks, add_special_tokens=False)
    parts = [np.asarray(each.ids, np.int32) for each in found]
    return np.concatenate([np.zeros(0, np.int32), *parts])


def _chunks(text: str) -> Iterator[str]:
    """A text in parts that end with a line, where lines are not very long."""
    start = 0
    while start < len(text):
        line = text.find("\n", start + CHUNK, start + 2 * CHUNK)
        end = line + 1 if line >= 0 else start + 2 * CHUNK
        yield text[start:end]
        start = end


def _sample(text: str) -> Iterator[str]:
    """At most SAMPLE characters, from places spread evenly over the text."""
    if len(text) <= SAMPLE:
        yield from _short(text)
        return
    for piece in range(PIECES):
        start = piece * (len(text) - SAMPLE // PIECES) // (PIECES - 1)
        yield from _short(text[start : start + SAMPLE // PIECES])


def _short(text: str) -> Iterator[str]:
    """A text cut into parts of at most LONGEST characters."""
    return (text[i : i + LONGEST] for i in range(0, len(text), LONGEST))


def fit(train: str, validation: str, size: int | None) -> BpeVocabulary:
    """Pieces learned from the training text.

    Returns:
      A vocabulary of `size` tokens, or fewer where a short text has no more pairs.
    """
    del validation
    trainer = trainers.BpeTrainer(
        vocab_size=size or DEFAULT_SIZE,
        show_progress=False,
        initial_alphabet=ALPHABET,
        min_frequency=2,
    )
    learner = _tokenizer(models.BPE())
    learner.train_from_iterator(_sample(train), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return BpeVocabulary(merges)


def load(record: dict[str, Any]) -> BpeVocabulary:
    """The vocabulary of a record."""
    return BpeVocabulary(record["merges"])
