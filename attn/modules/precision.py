"""The dtype policy of a model: storage, arithmetic and sums apart."""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jax import Array

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Precision:
    """Which dtype holds parameters, computes layers, and accumulates sums.

    Names rather than dtypes, so that a policy is hashable, prints as written in a
    config, and is static under `jit`.
    """

    parameters: str = "float32"
    compute: str = "float32"
    accumulate: str = "float32"

    def __post_init__(self):
        for field in dataclasses.fields(self):
            name = getattr(self, field.name)
            if name not in FLOATS:
                raise ValueError(
                    f"Precision: {field.name} must be one of {', '.join(FLOATS)}, "
                    f"got {name!r}."
                )

    def cast(self, parameter: nnx.Variable | Array) -> Array:
        """A parameter as the layers compute with it."""
        return jnp.asarray(parameter[...], self.compute)


FLOAT32 = Precision()
