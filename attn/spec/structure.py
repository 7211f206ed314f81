"""What of a piece is static, and hashed once."""

from collections.abc import Callable, Mapping
from typing import Any


class Structure:
    """Which fields of a piece are children, and the values of the others.

    Made once, with its hash: every call of a jitted function asks for both.
    """

    __slots__ = ("_hash", "children", "static")

    def __init__(self, children: tuple[str, ...], static: tuple[tuple[str, Any], ...]):
        self.children, self.static = children, static
        self._hash = hash((children, static))

    @classmethod
    def of(
        cls, piece: str, values: Mapping[str, Any], is_child: Callable[[Any], bool]
    ) -> "Structure":
        """The structure of the field values of a piece of that name."""
        children = tuple(name for name, x in values.items() if is_child(x))
        static = [(name, x) for name, x in values.items() if name not in children]
        for name, value in static:
            try:
                hash(value)
            except TypeError:
                raise ValueError(_unhashable(piece, name, value)) from None
        return cls(children, tuple(static))

    def __eq__(self, other):
        return self is other or (
            isinstance(other, Structure)
            and self.children == other.children
            and self.static == other.static
        )

    def __hash__(self):
        return self._hash


def _unhashable(piece_name: str, field: str, value: Any) -> str:
    """What is wrong with a value that is neither a leaf nor static."""
    if callable(value):
        kind = type(value).__name__
        return (
            f"{piece_name}: `{field}` must be hashable, got an object of {kind}, which "
            "compares by value; as a dataclass give it eq=False."
        )
    return (
        f"{piece_name}: `{field}` must be an array, a number or a word, got {value!r}."
    )
