"""A config as text: the resolved YAML, and the hash that names its run."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from experiments import tasks
from experiments.config.errors import ConfigError
from experiments.config.origin import Origin, Path
from experiments.config.paths import expected, fields, words_of
from experiments.config.schema import Config
from experiments.config.source import read_tree

# Keys that came later: while they are empty they change no hash, and no run's name.
LATER = (
    ("data", "documents"),
    ("data", "options"),
    ("eval", "grid"),
    ("log", "maps_every"),
    ("model", "convolve"),
    ("model", "taps"),
    ("optim", "newton_schulz"),
    ("sample", "top_p"),
    ("train", "weights"),
)
# Keys that say where, not what: other devices give the same numbers up to rounding.
PLACE = (("platform",), ("mesh", "devices"), ("process", "simulated_devices"))

Note = Callable[[Config, Path], str]


def dump(config: Config, note: Note | None = None) -> str:
    """The whole config as YAML that `load` reads back to an equal config.

    Args:
      config: any config.
      note: what to say about each value in a comment: `place` or `meaning`.
    """
    lines = list(_lines(config.model_dump(mode="json"), ()))
    if note is None:
        return "".join(f"{text}\n" for _, text in lines)
    width = max(len(text) for _, text in lines)
    return "".join(
        f"{text}\n"
        if text.endswith(":")
        else f"{text:<{width}}  # {note(config, path)}\n"
        for path, text in lines
    )


def place(config: Config, path: Path) -> str:
    """Where a value was written."""
    at = config._origins.written(path)
    return at.place if at else "default"


def meaning(config: Config, path: Path) -> str:
    """What a key means, and what it may be."""
    if path[:2] == ("data", "options") and path[2:]:
        field = tasks.declared(config.data.kind).knobs.model_fields[path[2]]
        return f"{field.description}; {words_of(field)}"
    known = path if path in fields() else path[:2]  # an axis of the grid
    return f"{fields()[known].description}; {expected(known)}"


def _lines(data: dict[str, Any], at: Path) -> Iterator[tuple[Path, str]]:
    for key, value in data.items():
        indent = "  " * len(at)
        if isinstance(value, dict) and value:
            yield (*at, key), f"{indent}{key}:"
            yield from _lines(value, (*at, key))
        else:
            yield (*at, key), f"{indent}{key}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    """A value on one line; JSON is YAML, and quotes keep text text."""
    if isinstance(value, str) and not _needs_quotes(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in text)


def _needs_quotes(text: str) -> bool:
    """Whether our own reader would take the bare text for something else."""
    try:
        tree = read_tree(f"x: {text}", lambda _: Origin(""))
    except ConfigError:
        return True
    return tree.data != {"x": text} or not text.isprintable()


def config_hash(config: Config) -> str:
    """SHA-256 of everything in a config that can change a result, in hex."""
    data = _without(config, [*inert(), *foreign(config.model.kind)])
    for section, key in LATER:
        if data[section].get(key) in (None, [], {}):  # 0 is no such thing
            data[section].pop(key, None)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_same_experiment(one: Config, other: Config) -> bool:
    """Whether two configs compute the same, wherever they do it."""
    first, second = (
        _without(each, [*inert(), *foreign(each.model.kind), *PLACE])
        for each in (one, other)
    )
    return first == second


def moves(one: Config, other: Config) -> list[str]:
    """What two configs say of where to compute, `mesh.devices: 8 -> 1`."""
    place = tuple(".".join(path) + ":" for path in PLACE)
    return [each for each in differences(one, other) if each.startswith(place)]


def _without(config: Config, paths: list[tuple[str, ...]]) -> dict[str, Any]:
    """A config as data, without some of its keys."""
    data = config.model_dump(mode="json")
    for path in paths:
        *sections, key = path
        inner = data
        for each in sections:
            inner = inner[each]
        del inner[key]
    return data


def inert() -> list[tuple[str, ...]]:
    """The paths that change what is kept or shown, never what is computed."""
    return [
        path
        for path, field in fields().items()
        if (field.json_schema_extra or {}).get("inert")
    ]


def foreign(kind: str) -> list[tuple[str, ...]]:
    """The paths that mean nothing for a kind of model."""
    return [
        path
        for path, field in fields().items()
        if kind not in (field.json_schema_extra or {}).get("models", [kind])
    ]


def differences(one: Config, other: Config) -> list[str]:
    """The fields in which two configs differ, `optim.lr: 0.001 -> 0.01`."""
    first, second = _flat(one), _flat(other)
    return [
        f"{key}: {_scalar(first.get(key))} -> {_scalar(second.get(key))}"
        for key in first | second
        if first.get(key) != second.get(key)
    ]


def _flat(config: Config) -> dict[str, Any]:
    values = {}
    for path, text in _lines(config.model_dump(mode="json"), ()):
        if not text.endswith(":"):
            inner: Any = config.model_dump(mode="json")
            for part in path:
                inner = inner[part]
            values[".".join(map(str, path))] = inner
    return values
