"""What every piece of a spec is: a frozen pytree with a notation.

A field that holds an array is a leaf: it can be learned, vmapped and changed without
retracing. A field that holds a Python value is static. Which is which is decided when
the piece is made and kept in its tree structure.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, dataclass_transform

import jax

from attn.spec.closure import captures_tracer
from attn.spec.field import (
    ByValue,
    Varying,
    as_leaf,
    is_array,
    is_varying,
    per_head,
    same_value,
    write,
)
from attn.spec.structure import Structure


class Parameter(NamedTuple):
    """An array that a module must learn for a piece: `init(rng, shape, dtype)`."""

    shape: tuple[int, ...]
    init: Callable[..., jax.Array]
    per_head: bool = False


class Piece(ByValue):
    """Base of all pieces; see the module's docstring.

    Class attributes: `name` is the word in the notation, `kind` the slot of `Attention`
    that it fills, `reference` its source, `positional` whether it compares absolute
    positions, `needs` names the per-token data that it reads, `numbers` the fields that
    hold one number for each head, and `indexed` maps each array that is indexed by
    query or key storage to the axes in question, for example
    `{"array": ("query", "key")}`.
    """

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    positional: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    numbers: ClassVar[tuple[str, ...]] = ()
    indexed: ClassVar[dict[str, tuple[str, ...]]] = {}
    _structure: Structure

    def __post_init__(self):
        names = [field.name for field in dataclasses.fields(self)]  # pyright: ignore[reportArgumentType]
        for name in names:
            try:
                value = as_leaf(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"{self.name}: `{name}`: {error}") from None
            object.__setattr__(self, name, value)
        for name, axes in self.indexed.items():
            _check_is_array(self, name, axes)
        self.validate()
        values = {name: getattr(self, name) for name in names}
        structure = Structure.of(self.name, values, _is_child)
        object.__setattr__(self, "_structure", structure)

    def validate(self) -> None:
        """Raises ValueError where a field's value makes no sense."""

    def __call__(self, *args: Any, **changes: Any):
        """The same piece with other arguments: `softmax(sink=0.0)`."""
        names = [field.name for field in dataclasses.fields(self)]  # pyright: ignore[reportArgumentType]
        if len(args) > len(names):
            raise TypeError(f"takes at most {len(names)} arguments, got {len(args)}")
        positional = dict(zip(names, args, strict=False))
        if twice := sorted(positional.keys() & changes.keys()):
            raise TypeError(f"got two values for `{twice[0]}`")
        return dataclasses.replace(self, **positional, **changes)  # pyright: ignore[reportArgumentType]

    def pieces(self) -> dict[str, "Piece"]:
        """The pieces that this one is made of, by field."""
        values = {name: getattr(self, name) for name in self._structure.children}
        return {n: value for n, value in values.items() if isinstance(value, Piece)}

    def walk(self):
        """Yields this piece and every piece inside it."""
        yield self
        for inner in self.pieces().values():
            yield from inner.walk()

    def statics(self) -> Iterator[Any]:
        """Yields the values that are no leaves, functions of the user among them."""
        yield from (x for _, x in self._structure.static)

    def is_closed_over_traced(self) -> bool:
        """Whether a user's function in here holds an array that is traced.

        A derivative rule of ours would lose the gradient of that array.
        """
        return any(map(captures_tracer, self.statics()))

    def needs_positions(self) -> bool:
        """Whether the result depends on absolute positions."""
        return any(inner.positional for inner in self.walk())

    def needs_data(self) -> tuple[str, ...]:
        """The names of the per-token data that the result depends on."""
        return tuple({name: None for inner in self.walk() for name in inner.needs})

    def check(self, t: int, s: int) -> None:
        """Checks that arrays fit one head with T queries and S keys.

        Raises:
          ValueError: An axis is neither the expected size nor 1, an array still has
            its axis of heads or batch, or several numbers stand where one belongs.
        """
        for leaf in jax.tree.leaves(self, is_leaf=is_varying):
            if is_varying(leaf):
                raise ValueError(
                    f"attend: {leaf.word} arrays are for attend_heads; for one head "
                    "give its own array."
                )
        self.check_numbers()
        for inner in self.walk():
            for name, axes in inner.indexed.items():
                _check_axes(inner, name, axes, {"query": t, "key": s})

    def check_numbers(self) -> None:
        """Checks that what is one number for each head is one number for this head.

        Raises:
          ValueError: It has axes: along queries or keys it would mean something else.
        """
        for inner in self.walk():
            for name in inner.numbers:
                shape = tuple(getattr(getattr(inner, name), "shape", ()))
                if shape:
                    raise ValueError(
                        f"{inner.name}: `{name}` must be one number per head, got "
                        f"shape {shape}; wrap it in per_head."
                    )

    def replace(self, **changes: Any):
        """A copy with other field values, without validation (they may be traced)."""
        new = object.__new__(type(self))
        new.__dict__.update({**self.__dict__, **changes})
        return new

    def parameters(self, num_heads: int) -> dict[str, Parameter]:
        """The arrays that a module must learn, by dotted path ({} for most pieces)."""
        found = dict(self.own_parameters(num_heads))
        for name, inner in self.pieces().items():
            for path, parameter in inner.parameters(num_heads).items():
                found[f"{name}.{path}"] = parameter
        return found

    def own_parameters(self, num_heads: int) -> dict[str, Parameter]:
        """The arrays that this very piece wants learned, by field."""
        return {}

    def with_parameters(self, values: dict[str, Any]):
        """The piece with learned arrays put in, by the paths of `parameters`."""
        own = self.own_parameters(1)
        changes: dict[str, Any] = {}
        for name, parameter in own.items():
            if name in values:
                wrap = per_head if parameter.per_head else lambda x: x
                changes[name] = wrap(values[name])
        for name, inner in self.pieces().items():
            prefix = name + "."
            mine = {
                k[len(prefix) :]: v for k, v in values.items() if k.startswith(prefix)
            }
            changes[name] = inner.with_parameters(mine) if mine else inner
        return dataclasses.replace(self, **changes) if changes else self  # pyright: ignore[reportArgumentType]

    def for_heads(self, num_heads: int):
        """The piece with defaults that depend on the number of heads filled in."""
        changes = {n: p.for_heads(num_heads) for n, p in self.pieces().items()}
        return self.replace(**changes) if changes else self

    def __hash__(self):
        leaves, structure = jax.tree.flatten(self)
        if leaves:
            raise TypeError(f"unhashable: {self.name} holds arrays")
        return hash(structure)

    def __repr__(self):
        arguments = []
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING:
                arguments.append(write(value))
            elif is_array(value) or not same_value(value, field.default):
                arguments.append(f"{field.name}={write(value)}")
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


LETTERS = {"query": "T", "key": "S"}


def _check_is_array(piece: Piece, name: str, axes: tuple[str, ...]) -> None:
    """Refuses a number or a word where an array belongs; its shape is seen later."""
    value = getattr(piece, name)
    if not (is_array(value) or is_varying(value)):
        letters = ", ".join(LETTERS[axis] for axis in axes)
        raise ValueError(
            f"{piece.name}: `{name}` must be an array [{letters}], got {write(value)}."
        )


def _check_axes(
    piece: Piece,
    name: str,
    axes: tuple[str, ...],
    sizes: dict[str, int],
) -> None:
    """Checks an array indexed by query or key, which have these sizes."""
    array = getattr(piece, name)
    letters = ", ".join(LETTERS[axis] for axis in axes)
    if not is_array(array) or array.ndim != len(axes):
        raise ValueError(
            f"{piece.name}: `{name}` must be [{letters}], got "
            f"{getattr(array, 'shape', array)}; for several heads wrap it in per_head, "
            "for a batch in per_batch."
        )
    for axis, size in zip(axes, array.shape, strict=True):
        letter, expected = LETTERS[axis], sizes[axis]
        if size not in (1, expected):
            raise ValueError(
                f"{piece.name}: axis {letter} is {size} in `{name}` but {expected} in "
                f"`{axis}` (expected [{letters}], got {tuple(array.shape)})."
            )


def _is_child(value: Any) -> bool:
    return is_array(value) or isinstance(value, (Piece, Varying, dict))


def _flatten(self: Piece):
    structure, fields = self._structure, self.__dict__
    return [fields[name] for name in structure.children], structure


def _flatten_with_keys(self: Piece):
    children, structure = _flatten(self)
    keys = map(jax.tree_util.GetAttrKey, structure.children)
    return tuple(zip(keys, children, strict=True)), structure


@dataclass_transform(frozen_default=True, eq_default=False)
def piece(name: str, kind: str = "", *, kw_only: bool = False):
    """Makes a class a piece: a frozen dataclass and a pytree named `name`."""

    def register(cls):
        cls = dataclasses.dataclass(
            frozen=True,
            eq=False,
            repr=False,
            init="__init__" not in cls.__dict__,
            kw_only=kw_only,
        )(cls)
        cls.name = name
        cls.kind = kind or cls.kind

        def unflatten(structure, children):
            new = object.__new__(cls)
            new.__dict__.update(zip(structure.children, children, strict=True))
            new.__dict__.update(structure.static, _structure=structure)
            return new

        jax.tree_util.register_pytree_with_keys(
            cls, _flatten_with_keys, unflatten, _flatten
        )
        return cls

    return register
