"""From files and overrides to one frozen `Config`, or to all its faults at once."""

import os
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from experiments.config.complete import complete
from experiments.config.errors import ConfigError, Fault
from experiments.config.layers import Layers
from experiments.config.origin import Origins, Path
from experiments.config.paths import fields, is_section, unknown_key, wrong_value
from experiments.config.rules import check
from experiments.config.schema import Config
from experiments.config.section import Section

MANY = ("sweep", "study")  # sections that describe many runs; see `config.many`
MOST_FAULTS = 50  # nobody reads more, and finding nearest names takes time


def load(path: str | os.PathLike | None, overrides: Sequence[str] = ()) -> Config:
    """Reads a config file, its parents and the overrides.

    Args:
      path: the YAML file; None starts from the defaults.
      overrides: `key=value` texts in dotted notation; later ones win.

    Returns:
      The frozen config. It remembers where each value was written.

    Raises:
      ConfigError: with one line for each fault found.
    """
    layers = read_layers(path, overrides)
    for key in (each for each in MANY if each in layers.data):
        del layers.data[key]
        message = f"is for many runs; use `attn {key}`, or name a config without it."
        layers.note([layers.origins.fault((key,), message)])
    return validated(layers)


def read_layers(path: str | os.PathLike | None, overrides: Sequence[str]) -> Layers:
    """The file, its parents and the overrides as data with places; nothing checked."""
    layers = Layers("config" if path is None else os.fspath(path))
    if path is not None:
        layers.add_file(FilePath(path))
    for text in overrides:
        layers.add_override(text)
    return layers


def restored(data: dict[str, Any]) -> Config:
    """The config of `config.model_dump(mode="json")`.

    Raises:
      ConfigError: the data are no config.
    """
    layers = Layers("config")
    layers.data = data
    return validated(layers)


def validated(layers: Layers) -> Config:
    """The config that the data make.

    Raises:
      ConfigError: with one line for each fault found.
    """
    try:
        config = Config.model_validate(_without_empty_sections(layers.data))
    except ValidationError as error:
        errors = error.errors()
        found = [_fault(each, layers) for each in errors[:MOST_FAULTS]]
        if len(errors) > MOST_FAULTS:
            more = f"{len(errors) - MOST_FAULTS} more faults; mend these first."
            found.append(Fault(more, order=(layers.count, 0)))
        raise ConfigError([*layers.faults, *found]) from None
    config, wrong = complete(config, layers.origins)
    _attach(config, layers.origins)
    faults = [*layers.faults, *wrong]
    if faults := faults or check(config):
        raise ConfigError(faults)
    return config


def _without_empty_sections(data: dict[str, Any], at: Path = ()) -> dict[str, Any]:
    """A section with nothing below its name has all its defaults."""
    kept = {}
    for key, value in data.items():
        field = fields().get((*at, key))
        grouped = field is not None and is_section(field)
        if grouped and isinstance(value, dict):
            value = _without_empty_sections(value, (*at, key))
        kept[key] = {} if grouped and value is None else value
    return kept


def _fault(error: Any, layers: Layers) -> Fault:
    """One pydantic error in our words."""
    path: Path = error["loc"]
    if error["type"] == "extra_forbidden":
        return layers.origins.fault(path, unknown_key(path))
    if error["type"] == "missing":  # a list that is too short
        path = path[:-1]
    reason = str(error.get("ctx", {}).get("error", ""))
    got: Any = layers.data
    for part in path:
        got = got[part]
    return layers.origins.fault(path, wrong_value(path, got, reason))


def _attach(section: Section, origins: Origins) -> None:
    """Lets every section know where its values were written."""
    section._origins = origins
    for key in type(section).model_fields:
        inner = getattr(section, key)
        if isinstance(inner, Section):
            _attach(inner, origins.below(key))
