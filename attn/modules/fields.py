"""What a field of a config may hold: a piece of one kind, or notation for it."""

import dataclasses
import math
from numbers import Integral, Real
from typing import Any, TypeVar

import jax
from jax.core import Tracer

from attn.spec.notation import parse
from attn.spec.piece import Piece

Kind = TypeVar("Kind", bound=Piece)
Config = TypeVar("Config")


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """Stands in a model's config for an array that the model holds as a variable."""

    shape_and_dtype: str

    def __repr__(self):
        return f"array(<{self.shape_and_dtype}>)"


def as_piece(field: str, given: Piece | str, kind: type[Kind]) -> Kind:
    """A piece of one kind from what may stand for it.

    Args:
      field: whose value it is, for the message: `DecoderConfig: mask`.
      given: a piece or notation.
      kind: the class that the piece must be of.

    Raises:
      ValueError: text that is no notation, anything of another kind, or a piece whose
        arrays stayed in the model that its config was taken from.
    """
    piece = parse(given) if isinstance(given, str) else given
    if not isinstance(piece, kind):
        raise ValueError(
            f"{field} must be a {kind.kind} piece, got {described(piece)}."
        )
    leaves = jax.tree.leaves(piece, is_leaf=is_elsewhere)
    if any(map(is_elsewhere, leaves)):
        raise ValueError(
            f"{field} is `{piece!r}`, its arrays in the model that this config was "
            f"taken from; give {kind.kind} pieces with arrays anew."
        )
    return piece


def check_sizes(who: str, config: Any, *names: str) -> None:
    """Refuses sizes of a config that are no whole numbers of at least 1; None passes.

    Raises:
      ValueError: the message names `who` and the field.
    """
    for name in names:
        size = getattr(config, name)
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{who}: {name} must be at least 1, got {size!r}.")


def check_spreads(who: str, **spreads: Any) -> None:
    """Refuses what initial values cannot be drawn with; None and tracers pass.

    Raises:
      ValueError: negative, infinite or no number; the message names `who` and which.
    """
    for name, value in spreads.items():
        if value is None or isinstance(value, Tracer):
            continue
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not (is_number and 0 <= float(value) < math.inf):
            raise ValueError(
                f"{who}: {name} must be a finite number of at least 0, got {value!r}."
            )


def described(value: Any) -> str:
    """What stands where a piece of another kind should, and how to write it."""
    if isinstance(value, Piece):
        return f"`{value.name}`, of kind {value.kind}; write {value.kind}={value.name}"
    if isinstance(value, type) and issubclass(value, Piece):
        return f"`{value.name}` without its arguments; write {value.name}(...)"
    return f"{type(value).__name__}; give a piece or its notation"


def is_elsewhere(value: Any) -> bool:
    """Whether a value stands for an array of a model."""
    return isinstance(value, Elsewhere)


def static(config: Config) -> Config:
    """A config without arrays, which a model can keep beside its variables.

    Arrays cannot be hashed, and models that differ in their values only are one
    program: `jit` takes them as the same structure.
    """
    fields = dataclasses.fields(config)  # pyright: ignore[reportArgumentType]
    values = {field.name: getattr(config, field.name) for field in fields}
    pieces = {name: x for name, x in values.items() if isinstance(x, Piece)}
    return dataclasses.replace(config, **jax.tree.map(_moved, pieces))  # pyright: ignore[reportArgumentType]


def _moved(array: Any) -> Elsewhere:
    return Elsewhere(f"{array.dtype}{list(array.shape)}")
