"""The task of a run, with the vocabulary and the text it began with."""

import json
import math
from pathlib import Path
from typing import Any

from experiments import storage, tasks, weights
from experiments.config import Config
from experiments.config.errors import show
from experiments.errors import UserError
from experiments.run import Run
from experiments.tasks.task import Batch, Task
from experiments.tasks.vocabularies import (
    UnknownCharacter,
    VocabularyError,
    from_json,
)

NAME = "vocabulary.json"


def task_of(run: Run, *, keep: bool = False) -> Task:
    """Builds the task of a run; its vocabulary is made once and then read.

    A model's tokens mean what its vocabulary says, so that is part of the run: another
    version of the library that learns pieces could choose other ones.

    Args:
      run: with `keep`, open to work on.
      keep: writes the vocabulary into the run directory if it is not there.

    Raises:
      ConfigError: the data cannot be had, or does not fit the config.
      UserError: the text is not the one that the run began with, or the record of
        the vocabulary is damaged.
    """
    path = run.path / NAME
    saved = _read(path) if path.exists() else None
    try:
        if saved is None:
            task = build(run.config)
        else:
            text = json.dumps(saved["vocabulary"])
            task = tasks.build(run.config.data, vocabulary=text)
    except UnknownCharacter:
        raise _changed(run.path) from None
    except VocabularyError as error:
        raise _damaged(path, str(error)) from None
    if saved is None and keep:
        _write(path, task)
    elif saved is not None and saved["fingerprint"] != task.fingerprint:
        raise _changed(run.path)
    return task


def build(config: Config) -> Task:
    """The task of a config; its tokens are those of the weights that it starts from.

    Raises:
      ConfigError: the data cannot be had, does not fit the config, or means other
        tokens than the weights were learned with.
    """
    if (found := weights.source(config)) is None:
        return tasks.build(config.data)
    data, learned = config.data, found.run.config.data
    saved = json.dumps(_read(found.run.path / NAME)["vocabulary"])
    kept = saved if data.kind == learned.kind == "text" else None
    for key in ("vocabulary", "vocabulary_size"):
        if kept and (had := getattr(learned, key)) != getattr(data, key):
            raise data.fault(
                key,
                f"the weights of {found.run.path} were learned with {show(had)}; set it"
                " to that.",
            )
    try:
        task = tasks.build(data, vocabulary=kept)
    except UnknownCharacter as error:
        raise data.fault(
            "path" if data.path else "source",
            f"{str(error).partition(';')[0]}, from {found.run.path}; leave it out, or"
            " start from other weights.",
        ) from None
    if task.vocabulary.to_json() != from_json(saved).to_json():
        raise config.train.fault(
            "weights",
            f"{found.run.path} was trained with another vocabulary than this task's.",
        )
    return task


def without_text(run: Run) -> Task:
    """The task of a run as far as its directory knows it: enough to write text.

    The text itself may have gone, and reading it takes longer than a sample does.

    Raises:
      UserError: the record of the vocabulary is missing or damaged.
    """
    path = run.path / NAME
    saved = _read(path)
    try:
        vocabulary = from_json(json.dumps(saved["vocabulary"]))
    except VocabularyError as error:
        raise _damaged(path, str(error)) from None
    return Task(
        vocabulary=vocabulary,
        arrays={},
        batch=_no_batch,
        context=run.config.data.length,
        validation_steps=0,
        fingerprint=str(saved["fingerprint"]),
        summary="a vocabulary without its text",
        chance=math.log(vocabulary.size),
    )


def _no_batch(*_: Any) -> Batch:
    raise AssertionError("a task without its text has no batches")


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    except (OSError, ValueError, RecursionError):
        raise _damaged(path, "it is not JSON") from None
    if not isinstance(record, dict) or {"fingerprint", "vocabulary"} - record.keys():
        raise _damaged(path, "it lacks `fingerprint` or `vocabulary`")
    return record


def _write(path: Path, task: Task) -> None:
    vocabulary = json.loads(task.vocabulary.to_json())
    record = {"fingerprint": task.fingerprint, "vocabulary": vocabulary}
    storage.write_atomic(path, json.dumps(record) + "\n")


def _changed(folder: Path) -> UserError:
    return UserError(
        f"{folder}: the text has changed since this run began; restore it, or start"
        " over with `attn train --fresh`."
    )


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: {why.rstrip('.')}; restore it, or start over with"
        " `attn train --fresh`."
    )
