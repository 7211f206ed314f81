"""A whole run in a process of its own, told by what it prints at its end."""

import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.bench.contender import Arrays, Contender, Refused

WORDS = 4000  # characters of what a process says that are looked at


class Runs:
    """One run a call, with the next seed; a folder that goes with this object.

    Args:
      once: runs with a seed in a folder and tells the validation loss it reached.
      below: which the loss has to be; 0 asks for nothing.
    """

    def __init__(self, once: Callable[[int, Path], float], below: float):
        self.once, self.below = once, below
        self.folder = Path(tempfile.mkdtemp(prefix="attn-bench-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.losses: list[float] = []

    def call(self) -> None:
        """One run.

        Raises:
          Refused: it does not get as far as it has to.
        """
        seed = len(self.losses)
        loss = self.once(seed, self.folder)
        if self.below and not loss < self.below:
            raise Refused(
                f"with seed {seed} its validation loss is {loss:.4f}, not below"
                f" {self.below:g}"
            )
        self.losses.append(loss)

    def contender(self, given: Callable[[], Arrays] = dict) -> Contender:
        """As the bench takes it; the outputs are the first run's loss."""
        return Contender(
            self.call,
            outputs=lambda: [np.array(self.losses[:1])],
            given=given,
            after=lambda: {
                "run_seeds": len(self.losses) - 1,
                "validation_losses": self.losses[-1],
            },
        )


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a process prints.

    Args:
      command: words.
      environment: its variables; ours if None.

    Raises:
      Refused: it ends with an error; its last line.
    """
    env = dict(os.environ if environment is None else environment)
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        said = f"{done.stdout[-WORDS:]}\n{done.stderr[-WORDS:]}".split("\n")
        last = next((line for line in said[::-1] if line.strip()), "it says nothing")
        raise Refused(f"the run ended with code {done.returncode}: {last.strip()}")
    return done.stdout
