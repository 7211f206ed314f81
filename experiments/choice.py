"""Which checkpoint of a run is meant."""

import sys
from pathlib import Path

from experiments.checkpoint import Store
from experiments.checksums import is_whole
from experiments.errors import UserError


def choose(store: Store, which: str, path: Path) -> int:
    """The step of the checkpoint that is meant.

    Raises:
      UserError: there is none.
    """
    steps = store.steps()
    if not steps:
        raise UserError(
            f"{path}: has no checkpoint yet. Continue it with `attn resume`."
        )
    if which in ("best", "last"):
        best = whole(store) if which == "best" else None
        return steps[-1] if best is None else best
    if which.isdigit() and int(which) in steps:
        return int(which)
    known = ", ".join(map(str, steps))
    raise UserError(f"{path}: no checkpoint `{which}`; expected best, last or {known}.")


def whole(store: Store) -> int | None:
    """The step of lowest validation loss among those that can be read."""
    for step in store.by_loss():
        if is_whole(store.path(step)):
            return step
        print(f"{store.path(step)}: damaged; taking the next best.", file=sys.stderr)
    return None
