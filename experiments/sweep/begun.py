"""How a run that has begun is computed: it goes on by the same program, to the bit.

What is compiled in and what is an argument rounds differently, so the manifest of a run
says which numbers were arguments, and beside how many others it was computed.
"""

from dataclasses import dataclass
from pathlib import Path

from experiments import folder
from experiments.errors import UserError


@dataclass(frozen=True)
class Begun:
    """The program of a run that has a checkpoint.

    Args:
      keys: the numbers that are its arguments, see `traced.varying`.
      lanes: how many runs it computes side by side.
    """

    keys: tuple[str, ...] = ()
    lanes: int = 1


def begun(path: Path) -> Begun | None:
    """How the run in a directory has begun; None if it has not, or nobody noted it."""
    try:
        manifest = folder.read_json(path / folder.MANIFEST) or {}
    except UserError:  # told when it starts
        return None
    if not any((path / "checkpoints").glob("step_*")):
        return None
    if "keys" in manifest:
        return Begun(tuple(manifest["keys"]), manifest["lanes"])
    return None if "group" in manifest else Begun()  # `attn train` notes neither
