"""FLOPs by counting: the products of a traced function, one by one."""

import math
from typing import Any

import jax


def dot_flops(function: Any, *arguments: Any) -> int:
    """Twice the multiplications of every matrix product that a function traces to."""
    return _count(jax.make_jaxpr(function)(*arguments).jaxpr)


def _count(jaxpr: Any) -> int:
    total, zeros = 0, set()
    for equation in jaxpr.eqns:
        if equation.primitive.name == "broadcast_in_dim" and _is_zero(equation):
            zeros.add(equation.outvars[0])
        if equation.primitive.name == "dot_general" and not (
            zeros & {each for each in equation.invars if not _is_literal(each)}
        ):
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            summed = math.prod(shape[axis] for axis in contracted)
            total += 2 * summed * math.prod(equation.outvars[0].aval.shape)
        inner = [each for value in equation.params.values() for each in _bodies(value)]
        times = equation.params.get("length", 1) if inner else 1
        total += times * sum(map(_count, inner))
    return total


def _is_literal(operand: Any) -> bool:
    return hasattr(operand, "val")


def _is_zero(equation: Any) -> bool:
    """Whether it makes the zeros whose product with an array only looks for NaN."""
    operand = equation.invars[0]
    return _is_literal(operand) and not operand.val


def _bodies(value: Any) -> list[Any]:
    values = value if isinstance(value, tuple | list) else [value]
    bodies = [getattr(each, "jaxpr", each) for each in values]
    return [each for each in bodies if hasattr(each, "eqns")]
