"""Ways to stretch rotary positions beyond the length that a model was trained on."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from attn.spec.field import is_array, is_varying
from attn.spec.piece import Piece, piece


def check_above(name: str, field: str, value: Any, least: float) -> None:
    """Checks a static number; arrays pass.

    Raises:
      ValueError: It is no finite number above `least`.
    """
    if is_array(value) or is_varying(value):
        return
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not least < value < math.inf:
        raise ValueError(
            f"{name}: `{field}` must be a number above {least}, got {value!r}."
        )


class Scaling(Piece):
    """Base of the ways to stretch rotary positions beyond the training length."""

    kind = "scaling"

    def frequencies(self, base: Any, width: int) -> Any:
        """Angle per position of each pair of coordinates, [width / 2] float64."""
        raise NotImplementedError

    def temperature(self) -> Any:
        """The number that queries and keys are multiplied by, [] if not static."""
        return 1.0


def plain_frequencies(base: Any, width: int) -> Any:
    """base^(-2i / width), [width / 2]; of an array as wide as JAX has floats."""
    exponent = -np.arange(0, width, 2) / width
    if is_array(base):
        return jnp.asarray(base, float) ** jnp.asarray(exponent, float)
    return np.float64(base) ** exponent


@piece("linear")
class Linear(Scaling):
    """Position interpolation: positions are divided by `factor`.

    Reference:
      Chen et al. 2023, equation 4, arXiv 2306.15595.
    """

    factor: Any
    numbers = ("factor",)
    reference: ClassVar[str] = "Chen et al. 2023, eq. 4, arXiv 2306.15595"

    def validate(self):
        check_above("linear", "factor", self.factor, 0)

    def frequencies(self, base, width):
        return plain_frequencies(base, width) / self.factor


@piece("ntk")
class Ntk(Scaling):
    """NTK-aware: the base grows, so that slow pairs stretch and fast ones do not.

    base * factor^(width / (width - 2))

    Reference:
      bloc97 2023; Peng et al. 2023, equation 16, arXiv 2309.00071.
    """

    factor: Any
    numbers = ("factor",)
    reference: ClassVar[str] = "Peng et al. 2023, section 3.1, arXiv 2309.00071"

    def validate(self):
        check_above("ntk", "factor", self.factor, 0)

    def frequencies(self, base, width):
        if width <= 2:
            return plain_frequencies(base, width)
        return plain_frequencies(base * self.factor ** (width / (width - 2)), width)


@piece("yarn")
class Yarn(Scaling):
    """YaRN: slow pairs interpolate, fast ones stay, a ramp between, and a temperature.

    A pair that turns fewer than `slow` times in `context` is divided by `factor`, one
    that turns more than `fast` times is not; queries and keys grow by
    sqrt(1 / t) = 0.1 ln(factor) + 1.

    Reference:
      Peng et al. 2023, equations 17 to 22, arXiv 2309.00071.
    """

    factor: Any
    context: Any
    slow: Any = 1.0
    fast: Any = 32.0
    numbers = ("factor", "context", "slow", "fast")
    reference: ClassVar[str] = "Peng et al. 2023, eq. 17 to 22, arXiv 2309.00071"

    def validate(self):
        for field in ("factor", "context", "slow", "fast"):
            check_above("yarn", field, getattr(self, field), 0)
        static = not any(is_array(x) or is_varying(x) for x in (self.slow, self.fast))
        if static and not self.slow < self.fast:
            raise ValueError(
                f"yarn: `slow` must be below `fast`, got {self.slow} and {self.fast}."
            )

    def frequencies(self, base, width):
        plain = plain_frequencies(base, width)
        turns = self.context * plain / (2 * math.pi)
        ramp = ((turns - self.slow) / (self.fast - self.slow)).clip(0, 1)
        return plain * ramp + plain / self.factor * (1 - ramp)

    def temperature(self):
        if is_array(self.factor):
            factor = jnp.asarray(self.factor, float)
            return 0.1 * jnp.log(jnp.maximum(factor, 1.0)) + 1.0
        return 0.1 * math.log(max(self.factor, 1.0)) + 1.0


SCALINGS = {"linear": Linear, "ntk": Ntk, "yarn": Yarn}
