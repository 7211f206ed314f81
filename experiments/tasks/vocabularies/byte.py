"""The 256 byte values of UTF-8: reads anything, learns nothing from the text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.tasks.vocabularies.vocabulary import Vocabulary, utf8


class ByteVocabulary(Vocabulary):
    """A token is a byte."""

    kind = "byte"

    @property
    def size(self) -> int:
        return 256

    def tokens(self, text: str) -> np.ndarray:
        return np.frombuffer(utf8(text), np.uint8)

    def decode(self, ids: Iterable[int]) -> str:
        return bytes(int(i) for i in ids).decode("utf-8", errors="replace")

    def record(self) -> dict[str, Any]:
        return {}


def fit(train: str, validation: str, size: int | None) -> ByteVocabulary:
    """The vocabulary; it is the same for every text."""
    del train, validation, size
    return ByteVocabulary()


def load(record: dict[str, Any]) -> ByteVocabulary:
    """The vocabulary of a record."""
    del record
    return ByteVocabulary()
