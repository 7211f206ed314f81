"""What a field of a piece may hold: arrays, head-wise arrays, and Python values."""

import dataclasses
import inspect
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

SCALARS = ((np.bool_, bool), (np.integer, int), (np.floating, float))
PRINTED_ELEMENTS = 4096  # a longer array prints as its type: nobody reads a megabyte


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Varying:
    """A leaf with one more axis in front; `heads.py` alone removes it, by `vmap`."""

    value: Any
    word: ClassVar[str] = "varying"

    def __post_init__(self):
        try:
            inner = as_leaf(self.value)
        except ValueError as error:
            raise ValueError(f"{self.word}: {error}") from None
        object.__setattr__(self, "value", inner)
        nested = isinstance(inner, Varying)
        if nested and (self.word, inner.word) != ("per_batch", "per_head"):
            raise ValueError(
                f"{self.word}: got a {inner.word} inside; write "
                "per_batch(per_head(x)) for an array [B, N, ...]."
            )
        if not (is_array(inner) or nested):
            raise ValueError(
                f"{self.word}: expected an array or a list, got {inner!r}."
            )

    def tree_flatten(self):
        return (self.value,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        self = object.__new__(cls)
        object.__setattr__(self, "value", children[0])
        return self

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return same_value(self.value, other.value)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self):
        return f"{self.word}({write(self.value)})"


@jax.tree_util.register_pytree_node_class
class per_head(Varying):
    """An array [N, ...] that differs from head to head."""

    word = "per_head"


@jax.tree_util.register_pytree_node_class
class per_batch(Varying):
    """An array [B, ...] that differs over the batch; may hold a `per_head`."""

    word = "per_batch"


def is_array(value: Any) -> bool:
    """Whether a field's value is a leaf: anything with a shape and a dtype."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def is_varying(value: Any) -> bool:
    """Whether a value is a `per_head` or `per_batch` wrapper."""
    return isinstance(value, Varying)


def as_leaf(value: Any) -> Any:
    """Turns a list into a float32, int32 or bool array, NumPy's numbers into Python's.

    A number that NumPy computed is static, as the same number written down is.

    Raises:
      ValueError: a list of no numbers, or a number that JAX would change silently.
    """
    check_kept(value)
    if is_array(value) and jnp.issubdtype(value.dtype, jnp.complexfloating):
        raise ValueError(f"expected real numbers, got {value.dtype}.")
    if not isinstance(value, list):
        return _plain(value)
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    dtypes = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.bool_}
    if array.dtype.kind not in dtypes:
        raise ValueError(f"expected a list of numbers of one shape, got {value!r}.")
    array = cast(array, dtypes[array.dtype.kind])
    array.flags.writeable = False  # pieces are frozen
    return array


def check_kept(value: Any) -> None:
    """Refuses a NumPy array with whole numbers that JAX would wrap."""
    if isinstance(value, np.ndarray) and value.dtype in (np.int64, np.uint64):
        cast(value, jnp.asarray(value.ravel()[:0]).dtype)


def check_reach(value: Any) -> None:
    """Refuses whole numbers, where they are known, that 32 bits would wrap."""
    if is_array(value) and value.dtype != np.int32 and not isinstance(value, Tracer):
        cast(value, np.int32)


def cast(values: Any, dtype: Any) -> np.ndarray:
    """NumPy's array of numbers in a dtype, which rounds and does nothing worse.

    Raises:
      ValueError: A number does not fit: it would wrap, lose its fraction, or become
        infinite.
    """
    given, dtype = np.asarray(values), np.dtype(dtype)
    if given.dtype == dtype:
        return given
    with np.errstate(all="ignore"):
        made = given.astype(dtype)
    whole = dtype.kind in "iub"
    fits = made == given if whole else np.isfinite(made) | ~np.isfinite(given)
    if not np.all(fits):
        first = given[~np.asarray(fits)].flat[0]
        raise ValueError(f"{first} does not fit {dtype.name}.")
    return made


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's number, also in tuples; anything else as it is."""
    if type(value) is tuple:
        return tuple(map(_plain, value))
    for scalar, python in SCALARS:
        if isinstance(value, scalar):
            return python(value)
    return value


def same_value(one: Any, other: Any) -> bool:
    """Equality by value; arrays also by dtype and shape, tracers by identity."""
    if one is other:
        return True
    if isinstance(one, Tracer) or isinstance(other, Tracer):
        return False
    if is_array(one) and is_array(other):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        if isinstance(one, jax.ShapeDtypeStruct):
            return True
        one, other = np.asarray(one), np.asarray(other)
        return bool(np.all((one == other) | ((one != one) & (other != other))))
    return not is_array(one) and not is_array(other) and one == other


class ByValue:
    """Equal where all arrays are: in shape, dtype and every number. Never hashable."""

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        leaves, structure = jax.tree.flatten(self)
        others, other_structure = jax.tree.flatten(other)
        return structure == other_structure and all(map(same_value, leaves, others))

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def _write_number(value: Any) -> str:
    if isinstance(value, float) and not np.isfinite(value):
        return "nan" if value != value else ("inf" if value > 0 else "-inf")
    return repr(value)


def _write_nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_write_nested(x) for x in value) + "]"
    return _write_number(value)


def _write_array(value: Any) -> str:
    dtype = np.dtype(value.dtype).name if hasattr(value.dtype, "name") else "array"
    traced = isinstance(value, (Tracer, jax.ShapeDtypeStruct))
    if traced or np.prod(value.shape) > PRINTED_ELEMENTS:
        return f"array(<{dtype}{list(value.shape)}>)"
    array = np.asarray(value)
    if dtype == "float32":  # the shortest decimals that give the same float32 back
        nested = np.vectorize(lambda x: float(str(x)), otypes=[object])(array)
    else:
        nested = array
    text = _write_nested(nested.tolist())
    if array.ndim and array.size and dtype in ("float32", "int32", "bool"):
        return text
    if array.size:
        return f"array({text}, {dtype!r})"
    return f"array({text}, {dtype!r}, {array.shape!r})"


def write(value: Any) -> str:
    """The notation of a field's value."""
    if is_array(value):
        return _write_array(value)
    if inspect.isfunction(value) or inspect.isbuiltin(value):
        return getattr(value, "__name__", repr(value))
    if isinstance(value, tuple):
        inside = ", ".join(write(x) for x in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return _write_number(value)
