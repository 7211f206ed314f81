"""The shapes of an attention call, the one check of them, and its messages."""

import dataclasses
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Shapes:
    """What a backend plans with: sizes T, S, H, E, N, K, B, and what it may refuse.

    Attributes:
      dtype: Of the query.
      mixed: Whether key or value have another one.
      placed: Whether the caller says where queries or keys stand.
      sharded: Whether the type of an array says that devices share it out.
    """

    t: int
    s: int
    h: int
    e: int
    heads: int = 1
    key_heads: int = 1
    batch: int = 1
    dtype: Any = "float32"
    mixed: bool = False
    placed: bool = False
    sharded: bool = False


def _rank(who: str, name: str, array: jax.Array, axes: str) -> None:
    if getattr(array, "ndim", None) != len(axes):
        got = getattr(array, "shape", type(array).__name__)
        expected = ", ".join(axes)
        raise ValueError(f"{who}: `{name}` must be [{expected}], got {got}.")


def _same(
    who: str, axis: str, arrays: dict[str, jax.Array], where: dict[str, str]
) -> None:
    (first, a), (second, b) = arrays.items()
    size = a.shape[where[first].index(axis)]
    other = b.shape[where[second].index(axis)]
    if size != other:
        expected = ", ".join(where[second])
        raise ValueError(
            f"{who}: axis {axis} is {size} in `{first}` but {other} in `{second}` "
            f"(expected [{expected}], got {b.shape})."
        )


def _check(who: str, arrays: dict[str, Any], where: dict[str, str]) -> None:
    for name, axes in where.items():
        _rank(who, name, arrays[name], axes)
    pairs = [("query", "key", "BH"), ("key", "value", "BSK")]
    for first, second, shared in pairs:
        for axis in shared:
            if axis in where[first] and axis in where[second]:
                pair = {first: arrays[first], second: arrays[second]}
                _same(who, axis, pair, where)
    for name, axes in where.items():
        if arrays[name].shape[-1] < 1:
            raise ValueError(
                f"{who}: widths must be at least 1, got {axes[-1]}=0 in `{name}` "
                f"{tuple(arrays[name].shape)}."
            )
        _floating(who, name, arrays[name])


def _floating(who: str, name: str, array: jax.Array) -> None:
    if not jax.numpy.issubdtype(array.dtype, jax.numpy.floating):
        raise ValueError(
            f"{who}: `{name}` must be floating point, got {array.dtype}; cast it, for "
            f"example {name}.astype(jnp.float32)."
        )


def check_array(who: str, name: str, array: Any, axes: str) -> None:
    """Refuses what has other axes, one letter each, or no floating-point numbers."""
    _rank(who, name, array, axes)
    _floating(who, name, array)


def _dtypes(*arrays: Any) -> tuple[Any, bool]:
    """The dtype of the first as JAX takes it, and whether others have another one."""
    dtypes = [jax.dtypes.canonicalize_dtype(array.dtype) for array in arrays]
    return dtypes[0], len(set(dtypes)) > 1


def _is_sharded(*arrays: Any) -> bool:
    """Whether an array lies on a mesh with explicit axes, and is cut along one."""
    types = [x.aval for x in arrays if hasattr(x, "aval")]
    return any(part is not None for x in types for part in x.sharding.spec)


def check_head(query: Any, key: Any, value: Any, who: str = "attend") -> Shapes:
    """Checks the arrays of one head.

    Args:
      query: [T, H].
      key: [S, H].
      value: [S, E].
      who: The function that a message names.

    Returns:
      Their `Shapes`.

    Raises:
      ValueError: A rank or an axis does not fit; the message names axis and arrays.
    """
    where = {"query": "TH", "key": "SH", "value": "SE"}
    _check(who, {"query": query, "key": key, "value": value}, where)
    (t, h), (s, e) = query.shape, value.shape
    dtype, mixed = _dtypes(query, key, value)
    return Shapes(t, s, h, e, dtype=dtype, mixed=mixed)


def check_heads(query: Any, key: Any, value: Any, who: str = "attend_heads") -> Shapes:
    """Checks the arrays of a batch of heads.

    Args:
      query: [B, T, N, H].
      key: [B, S, K, H]; K must divide N.
      value: [B, S, K, E].
      who: The function that a message names.

    Returns:
      Their `Shapes`.

    Raises:
      ValueError: A rank or an axis does not fit, or N is no multiple of K.
    """
    where = {"query": "BTNH", "key": "BSKH", "value": "BSKE"}
    _check(who, {"query": query, "key": key, "value": value}, where)
    (batch, t, heads, h), (_, s, key_heads, e) = query.shape, value.shape
    if not heads or not key_heads:
        raise ValueError(
            f"{who}: there must be at least one head, got N={heads}, K={key_heads}."
        )
    if heads % key_heads:
        raise ValueError(
            f"{who}: N must be a multiple of K, got N={heads}, K={key_heads}."
        )
    dtype, mixed = _dtypes(query, key, value)
    sharded = _is_sharded(query, key, value)
    return Shapes(t, s, h, e, heads, key_heads, batch, dtype, mixed, sharded=sharded)
