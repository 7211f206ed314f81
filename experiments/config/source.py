"""YAML as plain data with line numbers, and nothing of YAML that can surprise or harm.

Taken away: tags, anchors, aliases, merge keys, duplicate keys, dates, `no` for false,
`1:30` for 90, `010` for 8. Added: `1e-3` is a number, as everybody expects.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import ReaderError

from experiments.config.errors import ConfigError, Fault, show
from experiments.config.origin import Origin, Path, dotted

DEEPEST = 16  # a config has three levels; a bomb has thousands
DIGITS = 18  # fits an int64; Python itself refuses to read more than 4,300
INT = re.compile(r"[-+]?[0-9][0-9_]*")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
ODD_FLOAT = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
ODD_INT = re.compile(r"[-+]?0[0-9_]+|[-+]?0[xXoObB][0-9a-fA-F_]+")
WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= {"true": True, "True": True, "TRUE": True}
WORDS |= {"false": False, "False": False, "FALSE": False}

EXPLAINED = (  # a part of what PyYAML says, and what it means for a writer of configs
    ("'\\t'", "a tab, where YAML wants spaces"),
    (
        "mapping values are not allowed",
        "a second `:` on the line, or a key indented more than its peers",
    ),
    (
        "could not find expected ':'",
        "expected `key: value`, found no `:` after the key",
    ),
    ("another document", "two documents in one file (a line `---`); keep one"),
    ("expected <block end>", "this line is indented differently from its peers"),
    (
        "cannot start any token",
        "a value that starts with a special character; put it in quotes",
    ),
    ("stream end", "a bracket or a quote is not closed"),
    ("end of stream", "a bracket or a quote is not closed"),
)


@dataclass
class Tree:
    """Plain data, the place of every path in it, and what had to be left out."""

    data: Any
    origins: dict[Path, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


FAULTY = object()  # stands for a value that was noted as a fault
Where = Callable[[int], Origin]


class _Composer(yaml.SafeLoader):
    """Builds nodes only; refuses what a config has no use for before it can grow."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(
                "anchors and aliases (&name, *name) are not used; put a text in quotes,"
                " or use `extends:`.",
                event,
            )
        if event.tag is not None:
            tag = show(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise _Refused(f"the tag {tag} is not allowed: a config is data.", event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _Refused(f"nested more than {DEEPEST} levels deep.", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Refused(Exception):
    def __init__(self, message: str, at: Any):
        super().__init__(message)
        self.mark = at.start_mark


def read_tree(text: str, where: Where) -> Tree:
    """The data in a YAML text, with the places of its paths.

    Args:
      text: one YAML document.
      where: the place that belongs to a line number (from 1).

    Returns:
      The tree; its data is whatever the document holds, less what has a fault.

    Raises:
      ConfigError: the text is not YAML, or tries what a config has no use for.
    """
    builder = _Builder(where)
    data = builder.build(_compose(text, where), ())
    return Tree({} if data is FAULTY else data, builder.origins, builder.faults)


def _compose(text: str, where: Where) -> Any:
    try:
        loader = _Composer(text)
        return loader.get_single_node()
    except _Refused as error:
        raise _error(str(error), where(error.mark.line + 1)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed in a config."
        raise _error(message, where(line)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not valid YAML: {_explain(error)} (column {mark.column + 1})."
        raise _error(message, where(mark.line + 1)) from None


def _error(message: str, at: Origin) -> ConfigError:
    return ConfigError([Fault(message, at.place, "", (at.layer, at.line))])


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    return next((words for sign, words in EXPLAINED if sign in problem), problem)


class _Builder:
    """Turns nodes into data; collects faults instead of stopping at the first."""

    def __init__(self, where: Where):
        self.where = where
        self.origins: dict[Path, Origin] = {}
        self.faults: list[Fault] = []

    def fault(self, message: str, node: Any, path: Path) -> None:
        at = self.where(node.start_mark.line + 1)
        self.faults.append(Fault(message, at.place, dotted(path), (at.layer, at.line)))

    def build(self, node: Any, path: Path) -> Any:
        if node is None:
            return None
        if path:
            self.origins.setdefault(path, self.where(node.start_mark.line + 1))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            listed = [self.build(x, (*path, i)) for i, x in enumerate(node.value)]
            return FAULTY if any(each is FAULTY for each in listed) else listed
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value in node.value:
            key = self.key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in result:
                self.fault(_twice(self.origins[here]), key_node, here)
                continue
            # The place of a key, not of its value: a section starts at its name.
            self.origins[here] = self.where(key_node.start_mark.line + 1)
            result[key] = self.build(value, here)
        return {key: value for key, value in result.items() if value is not FAULTY}

    def key(self, node: Any, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.fault("a key must be a name, got a list or a mapping.", node, path)
        elif node.value == "<<":
            self.fault("merge keys (<<) are not used; use `extends:`.", node, path)
        else:
            return _whole(node.value)
        return None

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        try:
            node.value.encode()  # an escape like "\\ud800" is half a character
            return node.value if node.style else plain_scalar(node.value)
        except UnicodeEncodeError:
            self.fault("holds half a character (a surrogate escape).", node, path)
            return FAULTY
        except ValueError as error:
            self.fault(str(error), node, path)
            return FAULTY


def _whole(key: str) -> str:
    """The key, with what is no character replaced: it is unknown in any case."""
    return key.encode(errors="replace").decode()


def _twice(first: Origin) -> str:
    where = f", first on line {first.line}" if first.line else ""
    return f"written twice{where}; keep one."


def plain_scalar(text: str) -> Any:
    """The value of an unquoted YAML scalar: null, bool, int, float or text.

    Raises:
      ValueError: it looks like a number but is ambiguous, not finite or too large.
    """
    if text in WORDS:
        return WORDS[text]
    if ODD_FLOAT.fullmatch(text):
        raise ValueError(f"{show(text)} is no finite number; use `null` for none.")
    if ODD_INT.fullmatch(text):
        raise ValueError(
            f"{show(text)} is ambiguous; write plain decimal digits, or quotes."
        )
    if INT.fullmatch(text):
        if len(text) > DIGITS:
            raise ValueError(f"{show(text)} is too large a number.")
        return int(text.replace("_", ""))
    if FLOAT.fullmatch(text):
        return _finite(text)
    return text


def _finite(text: str) -> float:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise ValueError(f"{show(text)} is too large a number.")
    return value
