"""A tokenizer of your own, from a file in the format of the library `tokenizers`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from experiments.config.errors import visible
from experiments.tasks.corpora.corpus import printable
from experiments.tasks.corpora.file import similar
from experiments.tasks.vocabularies.bpe import encoded
from experiments.tasks.vocabularies.vocabulary import (
    UnknownCharacter,
    Vocabulary,
    VocabularyError,
    utf8,
)

# The model has a row for each number up to the largest; those in use go to some 2^18.
MOST_TOKENS = 1 << 22
EXPECTED = "expected a tokenizer.json, as the library `tokenizers` saves it"


class TokenizerVocabulary(Vocabulary):
    """What a file says; other than the vocabularies made here it may lose something.

    A normalizer may change a text before it is cut, and what has no token may vanish.
    Special tokens are known where they stand in a text, and none is added.

    Args:
      record: the JSON of the file.
    """

    kind = "tokenizer"

    def __init__(self, record: dict[str, Any]):
        self._record = whole(record)
        try:
            self._tokenizer = Tokenizer.from_str(json.dumps(self._record))
        except Exception as error:  # the library has no class of its own for it
            raise ValueError(visible(str(error))) from None
        self._size = 1 + max(self._tokenizer.get_vocab().values(), default=-1)
        if not 0 < self._size <= MOST_TOKENS:
            raise ValueError(
                f"it has {self._size:,} tokens, and 1 to {MOST_TOKENS:,} will do"
            )

    @property
    def size(self) -> int:
        return self._size

    def tokens(self, text: str) -> np.ndarray:
        utf8(text)  # refuses half characters
        try:
            return encoded(self._tokenizer, text)
        except Exception as error:  # as above
            raise UnknownCharacter(
                f"the tokenizer cannot write the text: {visible(str(error))}."
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        numbers = [int(i) for i in ids]
        return self._tokenizer.decode(numbers, skip_special_tokens=False)

    def record(self) -> dict[str, Any]:
        return {"file": self._record}


def whole(record: Any) -> dict[str, Any]:
    """The record without what makes tokens too few for a text, or draws them."""
    if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
        raise ValueError("it has no `model`")
    model = {key: x for key, x in record["model"].items() if key != "dropout"}
    return {**record, "model": model, "truncation": None, "padding": None}


def read(path: str) -> TokenizerVocabulary:
    """The vocabulary of a file.

    Raises:
      VocabularyError: there is no such file, or it is no tokenizer.
    """
    name = printable(path)
    try:
        place = Path(path).expanduser()
        if not place.exists():
            message = f"no such file: {name}{similar(place)}; {EXPECTED}."
            raise VocabularyError(message)
        if not place.is_file():  # a pipe could be read forever
            raise VocabularyError(f"{name} is no regular file; {EXPECTED}.")
        if not (text := place.read_text(encoding="utf-8")).strip():
            raise VocabularyError(f"{name} is empty; {EXPECTED}.")
        return TokenizerVocabulary(json.loads(text))
    except VocabularyError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise VocabularyError(f"{name} cannot be read: {reason}.") from None
    except (ValueError, RuntimeError) as error:  # no JSON, no tokenizer; nobody's home
        reason = visible(str(error)).rstrip(".")
        raise VocabularyError(f"{name}: {reason}; {EXPECTED}.") from None


def load(record: dict[str, Any]) -> TokenizerVocabulary:
    """The vocabulary of a record."""
    return TokenizerVocabulary(record["file"])
