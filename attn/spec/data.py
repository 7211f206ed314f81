"""Per-token data by name; what a piece reads and nobody gave is said."""

from collections.abc import Mapping
from typing import Any

import jax


class MissingData(KeyError, ValueError):
    """Data of the tokens that a piece reads and nobody gave."""

    def __str__(self) -> str:
        return self.args[0]


@jax.tree_util.register_pytree_node_class
class Data(dict):
    """Per-token data of one side by name."""

    def __init__(self, side: str, given: Mapping[str, Any]):
        super().__init__(given)
        self.side = side

    def __missing__(self, name: str):
        raise MissingData(
            f"attend: the {self.side} side has no data `{name}`, which the spec reads: "
            f"give at=attn.at({self.side}={{'{name}': ...}}), one row per token."
        )

    def tree_flatten(self):
        return tuple(self[name] for name in sorted(self)), (self.side, *sorted(self))

    @classmethod
    def tree_unflatten(cls, names, children):
        return cls(names[0], dict(zip(names[1:], children, strict=True)))
