"""The keys of a config as a flat list, found from the schema."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from experiments import tasks
from experiments.config import names
from experiments.config.errors import fold, nearest, show, strange_letters
from experiments.config.fields import LARGEST, SEPARATES, Says
from experiments.config.origin import Path, dotted, split
from experiments.config.schema import Config
from experiments.config.section import Section
from experiments.config.source import plain_scalar
from experiments.config.sweeps import Study, Sweep

TEXTS = ("text", "a path", SEPARATES)  # what belongs where any text may stand
YES_NO = {"yes": "true", "on": "true", "y": "true"}
YES_NO |= {"no": "false", "off": "false", "n": "false"}


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


@cache
def texts() -> frozenset[tuple[str, ...]]:
    """The paths at which any text may stand, those of a sweep and a study too."""
    found = {
        **fields(),
        **dict(walk(Sweep, ("sweep",))),
        **dict(walk(Study, ("study",))),
    }
    words = {path: str(words_of(field)) for path, field in found.items()}
    return frozenset(
        p for p, w in words.items() if w.removesuffix(", or null") in TEXTS
    )


def expected(path: Path) -> str | None:
    """The words for what belongs at `path`, `a whole number of at least 1`."""
    field = fields().get(tuple(part for part in path if isinstance(part, str)))
    if field is None:
        return None
    if is_section(field):
        key = next(iter(section_at(path)))
        return f"keys of its own indented below it, such as `{key}: ...`"
    if isinstance(path[-1], int):  # one of a list: its kind stands inside
        return _says(get_args(field.annotation))
    return words_of(field)


def words_of(field: FieldInfo) -> str | None:
    """The words for what belongs in a field."""
    words = _says([*field.metadata, field.annotation])
    return f"{words}, or null" if type(None) in get_args(field.annotation) else words


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
    if set("()") & set(key):  # `{mask: window(back=1, ahead=2)}` is cut at the comma
        return "unknown key; inside { } a value with a comma needs quotes."
    siblings = [
        *(section_at(tuple(parent)) or {}),
        *([] if parent else ["extends", "sweep", "study"]),
    ]
    remark = strange_letters(key)
    meant = _meant(key, tuple(parent), siblings)
    if meant:
        return f"unknown key{remark}. Did you mean {meant}?"
    where = f"`{dotted(tuple(parent))}`" if parent else "a config"
    return f"unknown key{remark}. The keys of {where} are {', '.join(siblings)}."


def _meant(key: str, parent: tuple[str, ...], siblings: list[str]) -> str | None:
    """The full path of the key that was probably meant, in backquotes."""
    whole = (*parent, *split(key))
    if whole in fields():  # `optim.lr: 3` as one key in a file
        return f"`{whole[-2]}:` with `{whole[-1]}:` indented below it"
    other_name = names.SYNONYMS.get(fold(key))
    if other_name and ("." in other_name or other_name in fields()):
        return f"`{other_name}`"
    if other_name in siblings:
        return _quoted(*parent, other_name)
    if parent == ("data",) and key in _options():
        return _quoted("data", "options", key)
    elsewhere = {path[-1]: path for path in reversed(fields())}
    if close := nearest(key, siblings, cutoff=0.75):
        return _quoted(*parent, close)
    if close := nearest(key, elsewhere, cutoff=0.85):
        return _quoted(*elsewhere[close])
    close = nearest(key, siblings) or nearest(key.split(" ")[0], siblings)
    return _quoted(*parent, close) if close else None


@cache
def _options() -> frozenset[str]:
    """The options of all tasks."""
    kinds = [tasks.declared(kind) for kind in names.TASKS]
    return frozenset(name for task in kinds for name in task.knobs.model_fields)


def _quoted(*path: str) -> str:
    return f"`{dotted(path)}`"


def wrong_value(
    path: Path, got: object, reason: str = "", words: str | None = None
) -> str:
    """`expected a number above 0, got -1`, with the remedy that fits."""
    words = words or expected(path) or "something else"
    text = f"expected {words}, got {show(got)}"
    if reason.endswith("?"):
        return f"{text}. {reason}"
    reason = f": {reason}" if reason else _remedy(words, got)
    return f"{text}{reason}."


def _remedy(words: str, got: object) -> str:
    """What to change, where the value itself says it."""
    wants_text = words.startswith(("text", "a name", "a path"))
    if isinstance(got, (bool, int, float)):
        too_large = abs(got) > LARGEST and words.startswith("a whole")
        return "; put it in quotes" if wants_text else "; too large" * too_large
    if not isinstance(got, str) or wants_text:
        return ""
    if words.startswith("true or false") and got.lower() in YES_NO:
        return f"; write {YES_NO[got.lower()]}"
    if words.endswith("or null") and got.lower() in ("none", "never"):
        return "; write null"
    quoted = got and not isinstance(_unquoted(got), str)
    return "; remove the quotes" if quoted else ""


def _unquoted(text: str) -> object:
    """What a text would be without quotes."""
    try:
        return plain_scalar(text)
    except ValueError:
        return text
