"""The kinds of value a config field can have, each with the words that explain it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from experiments.config import names
from experiments.config.durations import UNITS, Duration, parse_duration
from experiments.config.errors import nearest


class Says(str):
    """What a fault says was expected, `a whole number of at least 1`."""


LONGEST = 10_000  # characters of a text value
LARGEST = 2**31 - 1  # a JAX int32

Count = Annotated[
    int,
    Field(strict=True, ge=1, le=LARGEST),
    Says("a whole number of at least 1"),
]
MOST_BEAMS = 1000  # each is a row of the decoder, and keeps an answer of its own
Beams = Annotated[
    int,
    Field(strict=True, ge=1, le=MOST_BEAMS),
    Says(f"a whole number from 1 to {MOST_BEAMS}"),
]
Seed = Annotated[
    int,
    Field(strict=True, ge=0, le=LARGEST),
    Says(f"a whole number from 0 to {LARGEST}"),
]
Positive = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), Says("a number above 0")
]
NotNegative = Annotated[
    float, Field(strict=True, ge=0, allow_inf_nan=False), Says("a number of at least 0")
]
Rate = Annotated[
    float, Field(strict=True, ge=0, lt=1), Says("a number from 0 to below 1")
]
Share = Annotated[float, Field(strict=True, ge=0, le=1), Says("a number from 0 to 1")]
Fraction = Annotated[
    float, Field(strict=True, gt=0, lt=1), Says("a number between 0 and 1")
]
Flag = Annotated[bool, Field(strict=True), Says("true or false")]
Text = Annotated[str, Field(strict=True, max_length=LONGEST), Says("text")]
Path = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=4096, pattern=r"^[^\x00]*$"),
    Says("a path"),
]
FILES = "files"  # what ends a document where no text does
# Another word is taken for a slip of the pen, not for a text that ends documents.
SEPARATOR = re.compile(rf"^{FILES}$|[^A-Za-z]")
SEPARATES = Says(f"`{FILES}`, or a text of more than letters that ends a document")


def separating(text: str) -> str:
    """What ends a document, if it can."""
    if not SEPARATOR.search(text):
        close = nearest(text, [FILES])
        raise ValueError(f"Did you mean `{close}`?" if close else "")
    return text


Separator = Annotated[
    str,
    Field(strict=True, max_length=LONGEST),
    AfterValidator(separating),
    WithJsonSchema({"type": "string", "pattern": SEPARATOR.pattern}),
    SEPARATES,
]
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def portable(name: str) -> str:
    """A name that no system gives a meaning of its own."""
    if RESERVED.fullmatch(name) or name.endswith("."):
        raise ValueError("some systems cannot have a folder of that name")
    return name


Name = Annotated[
    str,
    Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    AfterValidator(portable),
    Says("a name of letters, digits, `_`, `.` and `-` (64 at most, no slash)"),
]
Betas = Annotated[
    tuple[Rate, Rate],
    Says("a list of two numbers from 0 to below 1, such as [0.9, 0.95]"),
]
Options = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {} if value is None else value),
    Says("options of the task by name, such as {length: 64}"),
]
Grid = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {} if value is None else value),
    Says("options of the task, each with a list of values, as {length: [16, 32]}"),
]
Tags = Annotated[tuple[Name, ...], Says("a list of names, such as [tiny, baseline]")]


def notation(of: str, example: str) -> Any:
    """A text in the notation of pieces; its meaning is checked by `attn.parse`."""
    says = Says(f"the notation of {of}, such as `{example}`")
    limits = Field(strict=True, min_length=1, max_length=LONGEST, examples=[example])
    return Annotated[str, limits, says]


def choice(table: Mapping[str, str], listed: str = "", file: str = "") -> Any:
    """One name of a table; another one is told its nearest.

    Args:
      table: the names.
      listed: what to call a name of a long table, which `attn list` shows.
      file: the usual name of a file whose path may stand instead, known by its suffix.
    """
    suffix = file[file.rfind(".") :] if file else None

    def known(name: str) -> str:
        if suffix and name.endswith(suffix):
            return name
        if name not in table:
            close = names.OTHER_NAMES.get(name.lower(), nearest(name, table))
            raise ValueError(f"Did you mean `{close}`?" if close in table else "")
        return name

    path = f", or the path of a {file}" if file else ""
    every = f"one of {', '.join(table)}{path}"
    says = Says(f"a {listed} (see `attn list {listed}s`)" if listed else every)
    shown = _named(table)
    if suffix:
        named = {"type": "string", "pattern": re.escape(suffix) + "$"}
        shown = {"anyOf": [shown, named]}
    shown = WithJsonSchema(shown)
    return Annotated[str, Field(strict=True), AfterValidator(known), shown, says]


def choices(table: Mapping[str, str]) -> Any:
    """A list of names of a table, each once; in the order of the table."""

    def known(names_given: tuple[str, ...]) -> tuple[str, ...]:
        for name in names_given:
            if name not in table:
                close = nearest(name, table)
                raise ValueError(f"Did you mean `{close}`?" if close in table else "")
        if len(set(names_given)) < len(names_given):
            raise ValueError("one stands there twice")
        return tuple(name for name in table if name in names_given)

    says = Says(f"a list of {', '.join(table)}, such as [{next(iter(table))}]")
    listed = {"type": "array", "items": _named(table), "uniqueItems": True}
    shown = WithJsonSchema(listed)
    one = Annotated[str, Field(strict=True), Says(f"one of {', '.join(table)}")]
    return Annotated[tuple[one, ...], AfterValidator(known), shown, says]


def _named(table: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema of one name of a table, with its meaning for editors."""
    meanings = {"enumDescriptions": list(table.values())}
    return {"type": "string", "enum": list(table), **meanings}


def lasting(*units: str, positive: bool = True) -> Any:
    """A duration in some of the units steps, tokens, % and clock (s, min, h)."""
    examples = {"steps": "2000steps", "tokens": "2e6tokens", "%": "10%", "min": "5min"}
    said = [examples[unit] for unit in units]
    listed = ", ".join(said[:-1]) + f" or {said[-1]}" if said[1:] else said[0]
    allowed = {*units, "s", "h"} if "min" in units else set(units)

    def check(value: object) -> Duration:
        found = parse_duration(value)
        if isinstance(value, int) and "steps" not in units:
            raise ValueError("it needs a unit")
        if found.unit not in allowed:
            raise ValueError(_other_unit(found.unit))
        if positive and found.amount == 0:
            raise ValueError("")
        if found.unit == "%" and found.amount > 100:
            raise ValueError("that is more than the whole run")
        return found

    kind = "a duration above 0" if positive else "a duration"
    says = Says(f"{kind}, such as {listed}")
    shown = WithJsonSchema(_for_editors(allowed, positive, said))
    return Annotated[
        Duration, BeforeValidator(check), PlainSerializer(str), shown, says
    ]


def _for_editors(units: set[str], positive: bool, examples: list[str]) -> Any:
    """The JSON schema of a duration: a text with a unit or, for steps, a number."""
    words = [word for word, unit in UNITS.items() if unit in units]
    amount = r"[0-9][0-9_]*(\.[0-9]*)?([eE]\+?[0-9]{1,2})?"
    pattern = rf"^\s*{amount}\s*({'|'.join(words)})\s*$"
    text = {"type": "string", "pattern": pattern, "examples": examples}
    if "steps" not in units:
        return text
    number = {"type": "integer", "minimum": int(positive)}
    return {"anyOf": [text | {"pattern": pattern.replace(")\\s*$", ")?\\s*$")}, number]}


def _other_unit(unit: str) -> str:
    if unit in ("s", "min", "h"):
        return "clock time is for train.budget only"
    return "a share of what?" if unit == "%" else f"{unit} are not clock time"
