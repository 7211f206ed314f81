"""Between text and tokens.

A new vocabulary is a file here, named as in a config, with two functions

    fit(train, validation, size) -> Vocabulary
    load(record) -> Vocabulary

and a row in `experiments.config.names.VOCABULARIES`. Beside those, `tokenizer` reads a
file of yours, whose path a config gives in place of a name.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from experiments.config.errors import did_you_mean
from experiments.config.names import VOCABULARIES
from experiments.tasks.vocabularies.vocabulary import (
    UnknownCharacter,
    Vocabulary,
    VocabularyError,
)

__all__ = [
    "VOCABULARIES",
    "UnknownCharacter",
    "Vocabulary",
    "VocabularyError",
    "fit",
    "from_json",
]


def fit(kind: str, train: str, validation: str, size: int | None) -> Vocabulary:
    """A vocabulary made from a text, or read from a file.

    Args:
      kind: a name of VOCABULARIES, or a path.
      train: what frequencies may be counted in.
      validation: what has to be expressible too.
      size: number of tokens wanted; None where there is no choice.

    Raises:
      VocabularyError: the file at the path cannot be read as a tokenizer.
    """
    if kind not in VOCABULARIES:
        return _module("tokenizer").read(kind)
    return _module(kind).fit(train, validation, size)


def from_json(text: str) -> Vocabulary:
    """The vocabulary that `to_json` wrote.

    Raises:
      VocabularyError: it is damaged or of an unknown kind.
    """
    try:
        record: Any = json.loads(text)
        kind = record["kind"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise VocabularyError("vocabulary: not the JSON of a vocabulary.") from None
    # Tasks that are generated make their own `symbols`, which no config chooses.
    known = (*VOCABULARIES, "tokenizer", "symbols")
    if not isinstance(kind, str) or kind not in known:
        hint = did_you_mean(str(kind), VOCABULARIES)
        raise VocabularyError(f"vocabulary: unknown kind {kind!a:.60}. {hint}")
    try:
        return _module(kind).load(record)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise VocabularyError(f"vocabulary: the {kind} record is damaged.") from None


def _module(kind: str) -> Any:
    # By name: a byte vocabulary does not wait for the import of another's library.
    return import_module(f"{__name__}.{kind}")
