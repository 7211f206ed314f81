"""What the shell offers when Tab is pressed: configs, keys with values, runs.

Everything here answers within a shell's patience: no JAX, nothing larger than the
schema. `attn --install-completion` sets it up.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from experiments.shipped import configs_folder

Offer = tuple[str, str]  # a word and its meaning


def settings(context: typer.Context, incomplete: str) -> list[Offer]:
    """Configs and overrides, for verbs that take both."""
    if (found := value_of(words_before(context), incomplete)) is not None:
        return found
    return [*configs(incomplete), *keys(incomplete)]


def overrides(context: typer.Context, incomplete: str) -> list[Offer]:
    """Overrides alone."""
    found = value_of(words_before(context), incomplete)
    return [*keys(incomplete)] if found is None else found


def words_before(context: typer.Context) -> list[str]:
    """The words that were written before the one at the cursor."""
    lists = [each for each in context.params.values() if isinstance(each, list | tuple)]
    return [word for each in lists for word in each if isinstance(word, str)]


def value_of(before: list[str], incomplete: str) -> list[Offer] | None:
    """The values of the key that is being written; None if that is not a value.

    bash cuts words at `=`: there the key is a word before, and only the value is
    wanted back. Other shells hand over `key=value` whole.
    """
    if incomplete == "=" and before:
        return [*values(before[-1], "")]
    if len(before) > 1 and before[-1] == "=":
        return [*values(before[-2], incomplete)]
    key, equals, start = incomplete.partition("=")
    if not equals:
        return None
    return [(f"{key}={word}", what) for word, what in values(key, start)]


def configs(incomplete: str) -> Iterator[Offer]:
    """Config files here, and the shipped ones by name."""
    folder = Path(incomplete).parent if "/" in incomplete else Path()
    try:
        here = sorted(folder.glob("*.yaml"))
    except OSError:
        here = []
    found = {str(path): "config" for path in here}
    found |= {each.stem: "shipped config" for each in configs_folder().glob("*.yaml")}
    for word, what in found.items():
        if word.startswith(incomplete):
            yield word, what


def keys(incomplete: str) -> Iterator[Offer]:
    """Every key of a config with its meaning."""
    from experiments.config.paths import fields, is_section  # late, for start-up time

    for path, field in fields().items():
        word = ".".join(path)
        if not is_section(field) and word.startswith(incomplete):
            yield f"{word}=", str(field.description)


def values(key: str, incomplete: str) -> Iterator[Offer]:
    """What may stand behind a key: the names of its table, or its default."""
    from experiments.config.editors import json_schema  # late, for start-up time
    from experiments.config.paths import fields

    path = tuple(key.split("."))
    field = fields().get(path)
    if field is None:
        return
    entry = entry_at(json_schema(), path)
    options = [entry, *entry.get("anyOf", [])]
    for option in options:
        meanings = option.get("enumDescriptions", [])
        for number, word in enumerate(option.get("enum", [])):
            if word.startswith(incomplete):
                yield word, meanings[number]
        if option.get("type") == "boolean":
            yield from (
                (word, "") for word in ("true", "false") if word.startswith(incomplete)
            )
        if option.get("type") == "null" and "null".startswith(incomplete):
            yield "null", "none"
        for example in option.get("examples", []):
            if example.startswith(incomplete):
                yield example, "for example"
    default = field.get_default()
    if not any("enum" in option for option in options) and default is not None:
        word = str(default).lower() if isinstance(default, bool) else str(default)
        if word.startswith(incomplete) and isinstance(default, (int, float)):
            yield word, "default"


def entry_at(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a key."""
    entry: dict[str, Any] = schema
    for key in path:
        for option in entry.get("anyOf", []):
            if "$ref" in option:
                entry = schema["definitions"][option["$ref"].rpartition("/")[2]]
        entry = entry["properties"][key]
    return entry


def runs(context: typer.Context, incomplete: str) -> list[Offer]:
    """The names of runs, the newest first, with what became of them."""
    root = Path(context.params.get("runs") or "runs")
    found = [each.parent for each in root.glob("*/manifest.json")]
    found = [each for each in found if each.name.startswith(incomplete)]
    found.sort(key=lambda path: -(path / "manifest.json").stat().st_mtime)
    return [(path.name, status(path)) for path in found]


def status(run: Path) -> str:
    """What a run's manifest says; nothing where it cannot be read."""
    try:
        return str(json.loads((run / "manifest.json").read_text())["status"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
