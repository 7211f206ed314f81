"""Files that describe many runs: `sweep:` and `study:` beside an ordinary config.

    points = load_many("configs/recall_study.yaml").points

A point is a config and the words for it. Every point is checked like a config of its
own before anything runs, and a fault stands at the line of the value that causes it.
"""

import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import ValidationError

from experiments.config.drafts import Change, Draft, drafts
from experiments.config.errors import ConfigError, Fault, did_you_mean, show
from experiments.config.fields import Name, Says
from experiments.config.files import display
from experiments.config.layers import Layers
from experiments.config.load import MOST_FAULTS, load, read_layers, validated
from experiments.config.origin import Origin, Origins, Path, split
from experiments.config.paths import fields, is_section, unknown_key, words_of
from experiments.config.schema import Config
from experiments.config.section import Section
from experiments.config.sweeps import Range, Study, Sweep

SECTIONS = {"sweep": Sweep, "study": Study}
MOST_RUNS = 10_000  # a slip of the pen, not a plan


@dataclass(frozen=True)
class Point:
    """One run of many.

    Args:
      config: complete.
      variant: what is compared, in words: all that changes but seed and tuned values.
      task: the task's name in a study; empty in a sweep.
      tuned: the values among which the best is chosen in a comparison.
    """

    config: Config
    variant: str = ""
    task: str = ""
    tuned: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Many:
    """A file of many runs.

    Args:
      base: the config around the section.
      plan: the section, a `Sweep` or a `Study`.
      layers: as read; more points can be made of them.
      name: of the file, as a reader would write it.
    """

    base: Config
    plan: Any
    layers: Layers
    name: str = ""

    @property
    def points(self) -> list[Point]:
        """The runs of a grid or a study, in order.

        Raises:
          ConfigError: with the faults of all points.
        """
        return self.make(drafts(self.plan))

    def make(self, drafts: Iterable[Draft]) -> list[Point]:
        """The points of drafts.

        Raises:
          ConfigError: with the faults of all of them, each once.
        """
        found: dict[str, Fault] = {}
        points: list[Point] = []
        for draft in drafts:
            try:
                config = self._config(draft.changes)
                points.append(Point(config, draft.variant, draft.task, draft.tuned))
            except ConfigError as error:
                found |= {str(fault): fault for fault in error.faults}
            if len(found) > MOST_FAULTS or len(points) > MOST_RUNS:
                break
        if found:
            raise ConfigError(found.values())
        if len(points) > MOST_RUNS:
            place = next(iter(SECTIONS))
            message = f"more than {MOST_RUNS:,} runs; take fewer values."
            raise ConfigError([self.layers.origins.fault((place,), message)])
        return points

    def _config(self, changes: Mapping[str, Change]) -> Config:
        layers = copy.copy(self.layers)
        layers.data = copy.deepcopy(self.layers.data)
        layers.origins = copy.copy(self.layers.origins)
        layers.origins.at = dict(self.layers.origins.at)
        for key, (value, written) in changes.items():
            *sections, last = split(key)
            inner = layers.data
            for each in sections:
                if not isinstance(inner.get(each), dict):
                    inner[each] = {}
                inner = inner[each]
            inner[last] = value
            layers.origins.at[split(key)] = self.layers.origins.find(written)
        return validated(layers)


def load_many(
    path: str | os.PathLike, overrides: Sequence[str] = (), kind: str | None = None
) -> Many:
    """Reads a file with a `sweep:` or a `study:`.

    Args:
      path: the YAML file.
      overrides: `key=value` texts; they reach the section too, `sweep.seeds=2`.
      kind: the section wanted; None takes either.

    Raises:
      ConfigError: with one line for each fault found.
    """
    layers = read_layers(path, overrides)
    if layers.faults:
        raise ConfigError(layers.faults)
    there = [each for each in SECTIONS if each in layers.data]
    wanted = [kind] if kind else list(SECTIONS)
    if len(there) != 1 or there[0] not in wanted:
        names = " or ".join(f"`{each}:`" for each in wanted)
        got = " and ".join(f"`{each}:`" for each in there) or "none"
        message = f"expected one section {names}, got {got}."
        raise ConfigError([layers.origins.fault((there or wanted)[:1], message)])
    data = layers.data.pop(there[0])
    section, wrong = _section(there[0], data, layers)
    try:
        base = validated(layers)
    except ConfigError as error:
        raise ConfigError([*wrong, *error.faults]) from None
    if section is None or wrong:
        raise ConfigError(wrong)
    return Many(base, section, layers, display(FilePath(path)))


def seeded(path: FilePath, overrides: Sequence[str], seeds: int) -> Many:
    """An ordinary config with several seeds, 0, 1, ...

    Raises:
      ConfigError: with one line for each fault found.
    """
    base = load(path, overrides)
    return Many(base, Sweep(seeds=seeds), read_layers(path, overrides), display(path))


def _section(kind: str, data: Any, layers: Layers) -> tuple[Any, list[Fault]]:
    """The section, or its faults."""
    model, origins = SECTIONS[kind], layers.origins
    if not isinstance(data, dict):
        message = f"expected keys indented below it, got {show(data)}."
        return None, [origins.fault((kind,), message)]
    data = _flat(data)
    origins.at |= dict(_flat_places(kind, origins))
    faults = [*_unknown(kind, data, origins)]
    try:
        section = model.model_validate(data)
    except ValidationError as error:
        faults += [_fault(kind, each, model, origins) for each in error.errors()]
        return None, faults[:MOST_FAULTS]
    faults += [origins.fault((kind, *at), text) for at, text in section.problems()]
    section._origins = origins.below(kind)
    return section, faults


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    """The section with its changes under dotted keys, however they were indented."""
    data = dict(data)
    if isinstance(data.get("axes"), dict):
        data["axes"] = dict(flatten(data["axes"]))
    for group in ("variants", "tasks"):
        if isinstance(data.get(group), dict):
            data[group] = {
                name: dict(flatten(each or {}))
                if isinstance(each or {}, dict)
                else each
                for name, each in data[group].items()
            }
    return data


def _flat_places(kind: str, origins: Origins) -> Iterator[tuple[Path, Origin]]:
    """The places of indented changes under the dotted keys they came to."""
    for path, at in origins.at.items():
        start = {"axes": 2, "variants": 3, "tasks": 3}.get(str(path[1:2] and path[1]))
        if path[0] == kind and start is not None:
            keys = [part for part in path[start:] if isinstance(part, str)]
            rest = [part for part in path[start:] if not isinstance(part, str)]
            yield (*path[:start], ".".join(keys), *rest), at


def flatten(axes: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """`optim: {lr: [...]}` as `optim.lr: [...]`; a range stays whole."""
    for key, value in axes.items():
        inner = isinstance(value, dict) and not set(value) & set(Range.model_fields)
        if inner:
            yield from flatten(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _fault(kind: str, error: Any, model: type[Section], origins: Any) -> Fault:
    """One pydantic error about the section in our words."""
    path = tuple(part for part in error["loc"] if part not in ("list", "Range"))
    path = tuple(p for p in path if not (isinstance(p, str) and p.startswith("list[")))
    known = model.model_fields
    if error["type"] == "extra_forbidden" and len(path) == 1:
        message = f"unknown key. {did_you_mean(str(path[0]), known)}"
    elif len(path) == 1:
        reason = str(error.get("ctx", {}).get("error", ""))
        words = words_of(known[path[0]])
        got = show(error["input"])
        message = f"expected {words}, got {got}. {reason}".strip()
    elif path[-1] == "[key]":
        path = path[:-1]
        says = next(each for each in get_args(Name) if isinstance(each, Says))
        message = f"expected {says}."
    else:
        message = f"{error['msg'].removeprefix('Value error, ').rstrip('.')}."
    return origins.fault((kind, *path), message)


def _unknown(kind: str, data: dict[str, Any], origins: Any) -> Iterator[Fault]:
    """What is set and is no key of a config, with the nearest one."""
    for at, key in _settings(data):
        path = split(key)
        is_option = path[:2] == ("data", "options") and len(path) == 3
        if is_option or (path in fields() and not _is_group(path)):
            continue
        remark = "is a section; name a key in it." if _is_group(path) else ""
        yield origins.fault((kind, *at), remark or unknown_key(path))


def _settings(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every dotted key that a section sets, with where it stands."""
    for group in ("axes", "variants", "tasks"):
        there = data.get(group)
        for name, changes in there.items() if isinstance(there, dict) else ():
            if group == "axes":
                yield (group, name), name
            elif isinstance(changes, dict):
                yield from (((group, name, key), key) for key in changes)


def _is_group(path: Path) -> bool:
    return path in fields() and is_section(fields()[path])
