"""Token files: a text that was made into numbers before, as nanoGPT's scripts write it.

Numbers of 16 bits, the lower byte first, and nothing else. Beside `train.bin` a
`val.bin` is the text for validation; without one it is the tail of the same file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.errors import show
from experiments.tasks import documents
from experiments.tasks.corpora import file
from experiments.tasks.corpora.corpus import printable
from experiments.tasks.lazy import np, vocabularies
from experiments.tasks.parts import Parts, Tokens

if TYPE_CHECKING:
    from experiments.config.schema import Data
    from experiments.tasks.vocabularies import Vocabulary

SUFFIX = ".bin"
NUMBER = "<u2"
# First 4 bytes of files with a header, which llm.c and what comes from it write.
HEADERS = {20240520, 20240801}
EXPECTED = "expected numbers of 16 bits and nothing else, as nanoGPT writes them"
MADE_FROM_TEXT = ("char", "bpe")


def is_one(path: str | None) -> bool:
    """Whether `data.path` names a token file."""
    return path is not None and path.endswith(SUFFIX)


def read(config: Data, saved: str | None) -> Parts:
    """The tokens of `data.path`, mapped into memory and not copied.

    Args:
      config: the section `data`.
      saved: JSON of the vocabulary to use; None takes the one of the config.

    Raises:
      ConfigError: no such file, no token file, or of another vocabulary.
      UnknownCharacter: it has other numbers than the saved vocabulary.
    """
    paths = found(config)
    arrays = [numbers(config, path) for path in paths]
    vocabulary = _vocabulary(config, saved, max(int(ids.max()) for ids in arrays))
    title = " and ".join([printable(config.path), *(path.name for path in paths[1:])])
    ends = [_ends(config, vocabulary, ids) for ids in arrays]
    if config.documents is not None and sum(map(len, ends)) < 2:
        raise config.fault("documents", documents.single(config.documents, title))
    if len(arrays) == 1:
        (ids,), (inner,) = arrays, ends
        cut = documents.cut(len(ids), config.validation, inner)
        arrays, ends = [ids[:cut], ids[cut:]], [*documents.split(inner, cut)]
    marks = [np.asarray(each, np.int32) for each in ends]
    train, validation = map(Tokens, arrays, marks)
    return Parts(
        vocabulary,
        train,
        validation,
        _fingerprint(config, paths),
        title,
        _bytes_per_token(vocabulary, validation),
    )


def found(config: Data) -> list[Path]:
    """The file, and the one for validation if it lies beside it."""
    assert config.path is not None
    paths = file.find(config, config.path)
    if len(paths) > 1:
        raise config.fault("path", f"is {len(paths)} files; expected one token file.")
    beside = paths[0].with_name(paths[0].name.replace("train", "val"))
    if beside != paths[0] and beside.is_file():
        paths += file.find(config, str(beside))
    return paths


def numbers(config: Data, path: Path) -> np.ndarray:
    """The numbers of a file [n] uint16.

    Raises:
      ConfigError: it has none, or more than numbers.
    """
    size, name = path.stat().st_size, printable(path)
    if size == 0:
        raise config.fault("path", f"{name} is empty; {EXPECTED}.")
    if size % 2:
        raise config.fault("path", f"{name} has an odd number of bytes; {EXPECTED}.")
    ids = np.memmap(path, NUMBER, "r")
    if int.from_bytes(ids[:2].tobytes(), "little") in HEADERS:
        raise config.fault("path", f"{name} begins with a header of llm.c; {EXPECTED}.")
    return ids


def _vocabulary(config: Data, saved: str | None, largest: int) -> Vocabulary:
    """What the numbers mean, up to the largest."""
    if saved is None and config.vocabulary in MADE_FROM_TEXT:
        raise config.fault(
            "vocabulary",
            f"{config.vocabulary} is made from a text; {_expected(config)}.",
        )
    try:
        if saved is not None:
            used = vocabularies.from_json(saved)
        else:
            used = vocabularies.fit(config.vocabulary, str(largest), "", None)
    except vocabularies.VocabularyError as error:
        if saved is not None:
            raise
        raise config.fault("vocabulary", str(error)) from None
    if largest < used.size:
        return used
    message = (
        f"{printable(config.vocabulary)} has {used.size:,} tokens, and there is number"
        f" {largest:,}; {_expected(config)}."
    )
    if saved is not None:
        raise vocabularies.UnknownCharacter(message)
    raise config.fault("vocabulary", message)


def _expected(config: Data) -> str:
    name = printable(config.path)
    return f"expected the tokenizer.json that {name} was made with, or numbers"


def _ends(config: Data, vocabulary: Vocabulary, ids: np.ndarray) -> list[int]:
    """Where each document ends, with the tokens of the text that ends one."""
    if config.documents is None:
        return []
    if (end := documents.end(config)) is None:
        raise config.fault(
            "documents",
            "a token file is one document; expected the text of the tokens that end"
            " one.",
        )
    wanted = _encoded(config, vocabulary, end)
    last = max(0, len(ids) - len(wanted) + 1)  # a file may be shorter than that text
    hits = [ids[i : last + i] == token for i, token in enumerate(wanted)]
    places = np.flatnonzero(np.logical_and.reduce(hits)) + len(wanted)
    return sorted({*places.tolist(), len(ids)})


def _encoded(config: Data, vocabulary: Vocabulary, end: str) -> list[int]:
    """The tokens of what ends a document, at least one."""
    try:
        if found := vocabulary.encode(end):
            return found
        message = f"{vocabulary.kind} has no token for {show(end)}."
    except vocabularies.VocabularyError as error:
        message = str(error)
    raise config.fault("documents", message)


def _fingerprint(config: Data, paths: list[Path]) -> str:
    """That of the files, and of what ends a document in them."""
    digests = []
    for path in paths:
        with path.open("rb") as content:
            digests.append(hashlib.file_digest(content, "sha256").hexdigest())
    if len(digests) == 1 and config.documents is None:
        return digests[0]
    text = json.dumps([*digests, config.documents])
    return hashlib.sha256(text.encode()).hexdigest()


def _bytes_per_token(vocabulary: Vocabulary, part: Tokens) -> float | None:
    if not vocabulary.is_text:
        return None
    return len(vocabulary.decode(part.ids.tolist()).encode()) / part.count
