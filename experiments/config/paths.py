"""The keys of a config as a flat list, found from the schema."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from experiments.config import names
from experiments.config.errors import nearest, show, strange_letters
from experiments.config.fields import Says
from experiments.config.origin import Path, dotted, split
from experiments.config.schema import Config, Section


def walk(kind: type[Section], prefix: tuple[str, ...] = ()) -> Iterator[tuple]:
    """(path, field) of every key, sections before the keys in them."""
    for key, field in kind.model_fields.items():
        yield (*prefix, key), field
        if is_section(field):
            yield from walk(field.annotation, (*prefix, key))


def is_section(field: FieldInfo) -> bool:
    """Whether the field groups other keys."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


@cache
def fields() -> dict[tuple[str, ...], FieldInfo]:
    """Every path of a config with its field."""
    return dict(walk(Config))


def section_at(path: Path) -> dict[str, FieldInfo] | None:
    """The fields of the section at `path`, None if no section is there."""
    if not path:
        return Config.model_fields
    field = fields().get(path)
    return field.annotation.model_fields if field and is_section(field) else None


def expected(path: Path) -> str | None:
    """The words for what belongs at `path`, `a whole number of at least 1`."""
    field = fields().get(tuple(part for part in path if isinstance(part, str)))
    if field is None:
        return None
    if is_section(field):
        return "a section with keys of its own: " + ", ".join(section_at(path))
    words = _says([*field.metadata, field.annotation])
    return f"{words} or null" if type(None) in get_args(field.annotation) else words


def _says(parts: Iterable[Any]) -> str | None:
    """The first words attached to a type, outside in."""
    for part in parts:
        inner = (*getattr(part, "__metadata__", ()), *get_args(part))
        found = part if isinstance(part, Says) else _says(inner)
        if found is not None:
            return str(found)
    return None


def unknown_key(path: Path) -> str:
    """What to say about a key that does not exist."""
    *parent, key = path
    siblings = section_at(tuple(parent)) or {}
    remark = strange_letters(key)
    meant = _meant(key, tuple(parent), list(siblings))
    if meant:
        return f"unknown key{remark}. Did you mean `{meant}`?"
    where = f"`{dotted(tuple(parent))}`" if parent else "a config"
    return f"unknown key{remark}. The keys of {where} are {', '.join(siblings)}."


def _meant(key: str, parent: tuple[str, ...], siblings: list[str]) -> str | None:
    """The full path of the key that was probably meant."""
    dotted_inside = split(key)
    if (*parent, *dotted_inside) in fields():
        return _nested((*parent, *dotted_inside))
    elsewhere = {
        path[-1]: path for path in reversed(fields()) if path[-1] not in siblings
    }
    if close := nearest(key, siblings, cutoff=0.75):
        return dotted((*parent, close))
    if synonym := nearest(key, names.SYNONYMS, cutoff=0.9):
        return names.SYNONYMS[synonym]
    if close := nearest(key, elsewhere, cutoff=0.85):
        return dotted(elsewhere[close])
    close = nearest(key, siblings)
    return dotted((*parent, close)) if close else None


def _nested(path: Path) -> str:
    return dotted(path[:1]) + ": {" + dotted(path[1:]) + ": ...}"


def wrong_value(path: Path, got: object, reason: str = "") -> str:
    """`expected a number above 0, got -1`, with the remedy that fits."""
    words = expected(path) or "something else"
    text = f"expected {words}, got {show(got)}"
    if reason.endswith("?"):
        return f"{text}. {reason}"
    return f"{text}: {reason}." if reason else f"{text}{_remedy(words, got)}."


def _remedy(words: str, got: object) -> str:
    if words.startswith("true or false") and isinstance(got, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        if got.lower() in meant:
            return f"; write {meant[got.lower()]}"
    number = isinstance(got, (int, float)) and not isinstance(got, bool)
    if words.startswith(("text", "a name", "a path")) and (
        number or got in (True, False)
    ):
        return "; put it in quotes"
    if words.startswith(("a whole", "a number")) and isinstance(got, str):
        return "; remove the quotes" if got.replace(".", "").isdigit() else ""
    return ""
