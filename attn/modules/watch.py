"""Looking inside a call: attention weights and the residual stream, when asked for."""

from collections.abc import Callable
from typing import Any, TypeVar

from flax import nnx
from jax import Array

Result = TypeVar("Result")


class Seen(nnx.Variable):
    """What a module showed during one call; only a watched copy of it has one."""


class Watchable(nnx.Module):
    """A module that can show arrays of its call; unwatched, that costs nothing."""

    watched = False  # becomes an attribute of the copies that `watch` makes

    def show(self, **arrays: Array) -> None:
        """Keeps arrays for whoever watches; in a second call, those of the second."""
        if self.watched:
            kept = self.seen.get_value() if hasattr(self, "seen") else {}
            self.seen = Seen(kept | arrays)


def watch(
    model: nnx.Module, call: Callable[[Any], Result]
) -> tuple[Result, dict[str, dict[str, Array]]]:
    """Calls a copy of a model and returns what its modules showed.

        logits, seen = watch(model, lambda model: model(tokens))
        seen["blocks.0.attention"]["weights"]  # [B, N, T, S]

    Attention runs on the dense backend, which is the definition, whatever the model is
    set to. The model itself is not touched, so a call inside `jit` stays pure.

    Args:
      model: any module with watchable modules in it.
      call: what to do with the copy.

    Returns:
      What `call` returned, and by dotted path of the module the arrays by name:
      `weights` [B, N, T, S] of an attention layer, before dropout; `before` and `after`
      [B, T, D] of a block, the residual stream.
    """
    copy = nnx.merge(*nnx.split(model))
    for _, module in list(nnx.iter_modules(copy)):
        # What a loop computes cannot be shown; a stack of blocks can do without.
        unroll = getattr(module, "unroll", None)
        if unroll is not None:
            unroll()
    watchable = {
        path: module
        for path, module in nnx.iter_modules(copy)
        if isinstance(module, Watchable)
    }
    for module in watchable.values():
        module.watched = True
    result = call(copy)
    shown = {
        ".".join(map(str, path)): module.seen.get_value()
        for path, module in watchable.items()
        if hasattr(module, "seen")
    }
    return result, shown
