"""The recipe of `torch_step` from the start of a process to its end, in torch eager."""

import json
import sys
from pathlib import Path

import numpy as np

from experiments import process
from experiments.bench.contender import Arrays, Contender, Refused
from experiments.bench.rivals.whole import Runs, run
from experiments.bench.work import RECIPE, RecipeWork

PROGRAM = "experiments.bench.rivals.torch_training"


def recipe(work: RecipeWork, given: Arrays) -> Contender:
    """Runs with the text, the rates and the constants that ours has given.

    Raises:
      Refused: the work is another model, to its end: torch would do less or more.
    """
    import torch  # here, so that a torch that is missing is refused before any run

    if not work.below and (work.config, work.options) != (RECIPE, ()):
        raise Refused(f"torch knows the recipe of {RECIPE} only; say `below`")
    keeps = process.made().get("allocator") == process.KEPT

    def once(seed: int, folder: Path) -> float:
        np.savez(folder / "given.npz", **given)
        order = {
            "folder": str(folder),
            "seed": seed,
            "below": work.below,
            "threads": torch.get_num_threads(),
            "allocator": keeps,
        }
        said = run([sys.executable, "-m", PROGRAM, json.dumps(order)])
        return float(json.loads(said.splitlines()[-1])["losses"][-1])

    return Runs(once, work.below).contender()
