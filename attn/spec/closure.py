"""What a function of the user's holds beside its arguments."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.core import Tracer


def captures_tracer(function: Callable) -> bool:
    """Whether a function closes over an array that a transformation traces.

    A derivative rule cannot see such an array: JAX takes its tangent for zero. What a
    function finds in its closure, its defaults, `functools.partial`, the object of a
    method and the functions among them is looked at; globals are not.
    """
    seen: set[int] = set()

    def is_caught(value: Any) -> bool:
        if id(value) in seen:
            return False
        seen.add(id(value))
        leaves = jax.tree.leaves(value)
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            return True
        inner = (x for leaf in leaves if callable(leaf) for x in held(leaf))
        return any(map(is_caught, inner))

    return is_caught(function)


def held(function: Callable) -> Iterator[Any]:
    """The closure, the defaults and the bound arguments of a function."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
    yield from getattr(function, "__defaults__", None) or ()
    yield from (getattr(function, "__kwdefaults__", None) or {}).values()
    if isinstance(function, functools.partial):
        yield from (function.func, *function.args, *function.keywords.values())
    yield from (getattr(function, name, None) for name in ("__self__", "__wrapped__"))
