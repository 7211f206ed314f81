"""Parents, file and overrides, laid over each other; faults are collected."""

import json
import os
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any

from experiments.config.errors import ConfigError, Fault, printable, show
from experiments.config.files import Unreadable, display, read_text
from experiments.config.origin import Origin, Origins, split
from experiments.config.paths import texts
from experiments.config.source import Tree, read_tree
from experiments.shipped import configs_folder

MOST_FILES = 64
NULLS = ("null", "Null", "NULL", "~")


class Layers:
    """Plain data from several places, later ones on top.

    Args:
      title: how to call a config of which nothing was written.
    """

    def __init__(self, title: str):
        self.data: dict[str, Any] = {}
        self.origins = Origins(title=title)
        self.faults: list[Fault] = []
        self.count = 0

    def add_file(
        self,
        path: FilePath,
        below: tuple[FilePath, ...] = (),
        asked: Origin | None = None,
    ) -> None:
        """Adds the parents of a file, then the file itself.

        Args:
          path: the file.
          below: the files that extend it, to notice circles.
          asked: the `extends:` line that named it.
        """
        try:
            tree = _mapping(self.read(path, below), display(path))
        except Unreadable as error:
            file = "" if not asked else f"`{display(path)}`: "
            place = asked.place if asked else display(path)
            text = f"{file}{error}" if str(error).endswith("?") else f"{file}{error}."
            self.note([Fault(text, place, "extends" if asked else "", _order(asked))])
            return
        except ConfigError as error:
            self.note(error.faults)
            return
        at = tree.origins.get(("extends",))
        for parent in self.parents(tree.data.pop("extends", None), at):
            self.add_file(parent_file(path, parent), (*below, path.resolve()), at)
        self.merge(tree)

    def read(self, path: FilePath, below: tuple[FilePath, ...]) -> Tree:
        """One file as data with places."""
        text, name = read_text(path), display(path)
        if path.resolve() in below:
            raise Unreadable("extends itself; break the circle")
        if len(below) + self.count >= MOST_FILES:
            raise Unreadable(f"more than {MOST_FILES} files in `extends:`")
        return read_tree(text, lambda line: Origin(f"{name}:{line}", 0, line))

    def parents(self, value: Any, at: Origin | None) -> list[str]:
        """The list that `extends:` says."""
        listed = value if isinstance(value, list) else [] if value is None else [value]
        if all(isinstance(each, str) and each for each in listed):
            return listed
        message = f"expected a path or a list of paths, got {show(value)}."
        place = at.place if at else self.origins.title
        self.note([Fault(message, place, "extends", _order(at))])
        return []

    def add_override(self, text: str) -> None:
        """Adds one `key=value` of the command line.

        A value is read as YAML, but where any text may stand it is that text as it is,
        blanks and ` #` included, unless it is in quotes or says null.
        """
        at = Origin(f"override {show(text)}", 0, 0)
        key, equals, value = text.partition("=")
        path = split(key.strip().lstrip("-"))
        is_text = path in texts()
        value = value if is_text else value.strip()
        if problem := _not_an_override(path, equals, value):
            self.note([Fault(problem, at.place)])
            return
        # A text as it is; and a glob, which as YAML would be an alias.
        if (is_text and not _is_quoted_or_null(value)) or value.startswith("*"):
            value = json.dumps(value)
        try:
            tree = read_tree(value, lambda _: at)
            faults: Iterable[Fault] = tree.faults
        except ConfigError as error:
            faults = error.faults
        if faults:
            self.note([Fault(fault.message, at.place) for fault in faults])
            return
        data: Any = tree.data
        for part in reversed(path):
            data = {part: data}
        origins = {path[:end]: at for end in range(1, len(path) + 1)}
        self.merge(Tree(data, origins | {(*path, *k): at for k in tree.origins}))

    def note(self, faults: Iterable[Fault]) -> None:
        """Keeps the faults of the layer that is being read."""
        for each in faults:
            order = (self.count, each.order[1])
            self.faults.append(Fault(each.message, each.place, each.path, order))
        self.count += 1

    def merge(self, tree: Tree) -> None:
        """Lays a tree over what is there: mappings merge, all else replaces."""
        for path, at in tree.origins.items():
            self.origins.at[path] = Origin(at.place, self.count, at.line)
        _lay_over(self.data, tree.data)
        self.note(tree.faults)  # and counts this layer


def parent_file(path: FilePath, name: str) -> FilePath:
    """The file that `extends: name` means in a file: one beside it, else a shipped one.

    A missing one is looked for beside it, where its reader will say so.
    """
    beside = path.parent / name
    if os.path.lexists(beside):
        return beside
    shipped = {each.name: each for each in configs_folder().glob("*.yaml")}
    return shipped.get(name) or shipped.get(f"{name}.yaml") or beside


def _order(at: Origin | None) -> tuple[int, int]:
    return (0, at.line if at else 0)


def _mapping(tree: Tree, name: str) -> Tree:
    """The tree, if its data are keys; an empty file is a config of defaults."""
    if tree.data is None:
        raise Unreadable("an empty file; write at least `name: ...`")
    if not isinstance(tree.data, dict):
        kind = "a list" if isinstance(tree.data, list) else show(tree.data)
        glued = isinstance(tree.data, str) and ":" in tree.data
        remedy = "; a space is missing after the `:`" if glued else ""
        message = f"expected `key: value` lines, got {kind}{remedy}."
        raise ConfigError([Fault(message, f"{name}:1")])
    return tree


def _not_an_override(path: tuple, equals: str, value: str) -> str:
    example = "`optim.lr=0.001`"
    if not equals:
        return f"expected key=value, such as {example}."
    if not all(path):
        return f"the key is missing or has an empty part; write it like {example}."
    if path == ("extends",):
        return "`extends` belongs in a file; name that file as the config."
    if not value:
        key = printable(".".join(path))
        return f"nothing after the `=`; write `{key}=null` for none."
    return ""


def _is_quoted_or_null(value: str) -> bool:
    """Whether YAML reads all of a value as one text in quotes, or as no text."""
    start = value.strip()[:1]
    if start not in ("'", '"'):
        return value.strip() in NULLS
    try:
        return isinstance(read_tree(value, lambda _: Origin("")).data, str)
    except ConfigError:
        return False


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value
