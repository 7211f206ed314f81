"""The dtype policy of a model: storage, arithmetic and sums apart."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Precision:
    """Which dtype holds parameters, computes layers, and accumulates sums.

    Names rather than dtypes, so that a policy is hashable, prints as written in a
    config, and is static under `jit`.

    Attributes:
      parameters: what is stored.
      compute: what layers take and return.
      accumulate: what the sums of linear maps and of the final scores run in; None
        means float64 for float64, else float32. Attention, norms and poolings keep to
        that whatever is said here.

    Raises:
      ValueError: an unknown name, or sums narrower than what is summed or in float16.
    """

    parameters: str = "float32"
    compute: str = "float32"
    accumulate: str | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            name = getattr(self, field.name)
            if name not in FLOATS and name != field.default:
                raise ValueError(
                    f"Precision: {field.name} must be one of {', '.join(FLOATS)}, "
                    f"got {name!r}."
                )
        if self.accumulate is not None and bits(self.accumulate) < bits(self.compute):
            raise ValueError(
                f"Precision: accumulate must be no narrower than compute, got "
                f"accumulate={self.accumulate!r}, compute={self.compute!r}; "
                "leave it out."
            )
        if self.accumulate == "float16":  # whose largest number is 65,504
            raise ValueError(
                "Precision: accumulate must not be float16, in which sums overflow; "
                "leave it out."
            )

    def cast(self, parameter: nnx.Variable | Array) -> Array:
        """A parameter as the layers compute with it."""
        return jnp.asarray(parameter[...], self.compute)


def checked(precision: Any) -> Precision:
    """Refuses what is no policy: a dtype alone does not say what it is for."""
    if not isinstance(precision, Precision):
        raise ValueError(
            f"precision must be a Precision, got {precision!r}; write for example "
            "Precision(parameters='float32', compute='bfloat16')."
        )
    return precision


def bits(name: str) -> int:
    """How many bits a number of a dtype takes."""
    return jnp.finfo(name).bits


FLOAT32 = Precision()
