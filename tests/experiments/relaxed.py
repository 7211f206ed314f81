"""Turns off the strictness that optax does not keep; import `relaxed` to use it."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def relaxed() -> Iterator[None]:
    """Standard dtype promotion: optax raises a float32 to an int32 power."""
    with jax.numpy_dtype_promotion("standard"):
        yield
