"""JAX, NumPy and what needs them, imported when they are first used.

The file of a task holds both its declaration, which a config is checked against before
JAX is there (importing JAX takes a second), and its functions, which need JAX. So those
files take their modules from here:

    from experiments.tasks.lazy import jax, jnp, task
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any


class Lazy:
    """Stands for a module; the first attribute that is read imports it."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, key: str) -> Any:
        return getattr(import_module(self._name), key)


if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from experiments.tasks import corpora, generated, task, vocabularies
else:
    jax, jnp, np = Lazy("jax"), Lazy("jax.numpy"), Lazy("numpy")
    corpora, generated, task, vocabularies = (
        Lazy(f"experiments.tasks.{name}")
        for name in ("corpora", "generated", "task", "vocabularies")
    )

__all__ = ["corpora", "generated", "jax", "jnp", "np", "task", "vocabularies"]
