"""What a function or an object of the user's holds beside its arguments."""

import functools
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

# What holds nothing that is traced.
PLAIN = (str, bytes, int, float, complex, type(None), types.ModuleType)
PLAIN = (*PLAIN, np.ndarray, np.generic, jax.Array)
SEQUENCES = (list, tuple, set, frozenset, deque)
# Where what is bound or wrapped keeps the rest of itself.
BOUND = {
    types.MethodType: ("__self__", "__func__"),
    types.BuiltinMethodType: ("__self__",),
    types.MethodWrapperType: ("__self__",),
    functools.partial: ("func", "args", "keywords"),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget",),
}


def captures_tracer(value: Any) -> bool:
    """Whether an array that a transformation traces is anywhere inside a value.

    A derivative rule cannot see such an array: JAX takes its tangent for zero, or
    fails. Looked at is whatever `held` finds, and what is inside of that; globals and
    classes of modules are not.
    """
    seen: dict[int, Any] = {}  # keeps what was made here alive, and its id its own
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Tracer):
            return True
        if id(one) not in seen and not isinstance(one, PLAIN):
            seen[id(one)] = one
            left.extend(held(one))
    return False


def held(value: Any) -> Iterator[Any]:
    """What containers contain, functions close over, and objects have as attributes."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, SEQUENCES):
        yield from value
    elif isinstance(value, type):
        if is_local(value):
            yield from vars(value).values()
    else:
        yield from attributes(value)
        yield from bound(value)


def attributes(value: Any) -> Iterator[Any]:
    """The attributes of an object, and its class where a function made that."""
    yield from getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        if is_local(kind):
            yield kind
        if "__slots__" in vars(kind):
            for name, slot in vars(kind).items():
                if isinstance(slot, types.MemberDescriptorType):
                    yield getattr(value, name, None)


def bound(value: Any) -> Iterator[Any]:
    """The closure, the defaults and the bound arguments of a function."""
    if isinstance(value, types.FunctionType):
        yield from cells(value.__closure__ or ())
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
    for kind, names in BOUND.items():
        if isinstance(value, kind):
            yield from (getattr(value, name) for name in names)


def cells(closure: Iterable[Any]) -> Iterator[Any]:
    """The variables of a closure that have a value yet."""
    for cell in closure:
        try:
            yield cell.cell_contents
        except ValueError:
            continue


def is_local(kind: type) -> bool:
    """Whether a class was made inside of a function, and so may close over arrays."""
    return "<locals>" in kind.__qualname__
