"""Runs put together: seeds of one setting are a variant, what is learned is a task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.show import inert
from experiments.records import RunRecord

SEED = "seed"
# What is watched or shown; it changes nothing that is learned or measured.
WATCHED = ("sample.", "log.", "process.", "mesh.", "platform")
BATCH = "data.batch"  # how it is trained, though it stands with the data
Names = Mapping[str, tuple[str, str]]
LONGEST = 120  # characters of a label


@dataclass(frozen=True, eq=False)
class Variant:
    """The runs of one setting on one task, which differ by their seeds.

    Args:
      label: what sets it apart from the others, for the reader.
      task: what is learned.
      runs: in the order of their seeds.
    """

    label: str
    task: str
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(run.config.seed for run in self.runs)

    @property
    def done(self) -> tuple[RunRecord, ...]:
        """The runs that came to their end: only their last values compare."""
        return tuple(run for run in self.runs if run.status == "done")


def group_runs(
    records: Iterable[RunRecord], names: Names | None = None
) -> list[Variant]:
    """Puts the seeds of a setting together.

    Args:
      records: runs of any configs.
      names: run name to (variant, task), if a study has named all of them.

    Returns:
      Variants, in the order of their first run.
    """
    found: dict[tuple[str, str], list[RunRecord]] = {}
    records = list(records)
    if names and all(run.name in names for run in records):
        labels, tasks = zip(*(names[run.name] for run in records), strict=True)
    else:
        labels, tasks = variant_labels(records), task_labels(records)
    for run, label, task in zip(records, labels, tasks, strict=True):
        found.setdefault((label, task), []).append(run)
    return [
        Variant(label, task, tuple(sorted(runs, key=lambda run: run.config.seed)))
        for (label, task), runs in found.items()
    ]


def task_labels(records: Sequence[RunRecord]) -> list[str]:
    """What each run learns: its task, and the knobs in which the tasks differ."""
    settings = [_task(run) for run in records]
    kinds = [str(setting["data.kind"]) for setting in settings]
    changing = [key for key in differing(settings) if key != "data.kind"]
    return [
        _text(kind, _said(setting, changing, settings, kinds))
        for kind, setting in zip(kinds, settings, strict=True)
    ]


def variant_labels(records: Sequence[RunRecord]) -> list[str]:
    """What sets each run apart, its seed and its task aside.

    A sweep has named its variants. Else the configs' names tell, if each setting has
    one of its own; else the keys that differ.
    """
    given = [run.variant for run in records]
    if all(given):
        return [str(each)[:LONGEST] for each in given]
    settings = [_setting(run) for run in records]
    names = [run.config.name for run in records]
    if _tell_apart(names, settings):
        return names
    keys = differing(settings)
    return [
        _text("", [f"{short(key, keys)}={setting.get(key)}" for key in keys]) or name
        for setting, name in zip(settings, names, strict=True)
    ]


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that do not have one value everywhere, in order."""
    keys = dict.fromkeys(key for setting in settings for key in setting)
    return [key for key in keys if len({repr(s.get(key)) for s in settings}) > 1]


def short(key: str, keys: Sequence[str]) -> str:
    """The last part of a dotted key, or all of it if others end alike."""
    last = key.rpartition(".")[2]
    ends = [each.rpartition(".")[2] for each in keys]
    return key if ends.count(last) > 1 or last == "kind" else last


def _ignored() -> tuple[str, ...]:
    return tuple(".".join(path) for path in inert())


def is_task(key: str) -> bool:
    """Whether a dotted key says what is learned, not how."""
    return key.startswith("data.") and key != BATCH


def _task(run: RunRecord) -> dict[str, Any]:
    ignored = _ignored()
    return {k: v for k, v in run.flat.items() if is_task(k) and k not in ignored}


def _setting(run: RunRecord) -> dict[str, Any]:
    ignored = {SEED, *_ignored()}
    return {
        key: value
        for key, value in run.flat.items()
        if key not in ignored and not is_task(key) and not key.startswith(WATCHED)
    }


def _tell_apart(names: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether each setting has one name and each name one setting."""
    pairs = {(n, repr(s)) for n, s in zip(names, settings, strict=True)}
    return len(pairs) == len(set(names)) == len({repr(s) for s in settings})


def _said(
    setting: Mapping[str, Any],
    keys: Sequence[str],
    settings: Sequence[Mapping[str, Any]],
    kinds: Sequence[str],
) -> list[str]:
    """The knobs that set a task apart from the others of its kind."""
    kind = setting["data.kind"]
    same = [s for s, other in zip(settings, kinds, strict=True) if other == kind]
    own = [key for key in differing(same) if key in keys]
    return [f"{short(key, own)}={setting[key]}" for key in own if key in setting]


def _text(name: str, parts: Sequence[str]) -> str:
    said = " ".join(filter(None, [name, ", ".join(parts)]))
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
