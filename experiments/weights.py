"""Weights that another run has learned, as the start of one.

A run's best checkpoint is meant, or one by its folder:

    train.weights=runs/tiny_lm              the only run of that name
    train.weights=runs/tiny_lm-1bdf315b
    train.weights=runs/tiny_lm-1bdf315b/checkpoints/step_00000600

The optimizer starts anew. Averaged weights, where there are any, are what is taken.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.arrays import Tree, flatten_shapes
from experiments.checkpoint import PREFIX, Store
from experiments.choice import choose
from experiments.config import Config, ConfigError, did_you_mean
from experiments.errors import UserError
from experiments.run import Run

ROOT = Path("runs")  # where runs lie if nothing else is said
MANIFEST = "manifest.json"
MOST_LISTED = 9
AVERAGED, LEARNED = "ema/", "params/"


@dataclass(frozen=True)
class Source:
    """A checkpoint.

    Args:
      run: that made it, open to read.
      step: of it.
    """

    run: Run
    step: int


def source(config: Config) -> Source | None:
    """Where the weights of a config come from; None if they are drawn.

    Raises:
      ConfigError: there is no such run, or it has no such checkpoint.
    """
    if (name := config.train.weights) is None:
        return None
    path = Path(name).expanduser()
    folder, which = path, "best"
    if (step := path.name.removeprefix(PREFIX)).isdecimal() and step != path.name:
        folder, which = path.absolute().parent.parent, str(int(step))
    folder = named(config, folder)
    try:
        run = Run.open(folder)
        return Source(run, choose(Store(run.checkpoints), which, folder))
    except UserError as error:
        raise _fault(config, str(error)) from None


def named(config: Config, folder: Path) -> Path:
    """The folder of a run given by it, or without the end that its config gave it.

    Raises:
      ConfigError: there is none, or more than one.
    """
    if (folder / MANIFEST).is_file():
        return folder
    there = [each.parent for each in sorted(folder.parent.glob(f"*/{MANIFEST}"))]
    found = [each for each in there if each.name.rpartition("-")[0] == folder.name]
    # A run may have the name of the one that it starts from.
    found = [each for each in found if not begins_alike(each, config)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(map(str, found[:MOST_LISTED]))
        raise _fault(config, f"{folder} may be {listed}; say which")
    there += [each.parent for each in sorted(ROOT.glob(f"*/{MANIFEST}"))]
    there = list(dict.fromkeys(there))[-MOST_LISTED:]
    known = [str(each) for each in there if not begins_alike(each, config)]
    hint = did_you_mean(str(folder), known)
    expected = hint if known else "Expected the folder of a run."
    raise config.train.fault("weights", f"{folder} is no run. {expected}")


def begins_alike(folder: Path, config: Config) -> bool:
    """Whether a run says that it starts from the same words as a config."""
    try:
        return Run.open(folder).config.train.weights == config.train.weights
    except UserError:  # told if it is the one that is meant
        return False


def read(config: Config, like: Tree) -> Tree | None:
    """The weights that a config starts from; None if they are drawn.

    Args:
      config: of the run that begins.
      like: pytree of its parameters, or of their shapes and dtypes.

    Returns:
      The pytree, with NumPy arrays of these dtypes.

    Raises:
      ConfigError: there are none, they are damaged, or those of another model.
    """
    found = source(config)
    if found is None:
        return None
    try:
        arrays = Store(found.run.checkpoints).arrays(found.step)
    except UserError as error:
        raise _fault(config, str(error)) from None
    prefix = AVERAGED if any(name.startswith(AVERAGED) for name in arrays) else LEARNED
    learned = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    wanted = flatten_shapes(like)
    check(config, found, learned, wanted)
    order = [learned[name].astype(leaf.dtype) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), order)


def check(
    config: Config,
    found: Source,
    learned: dict[str, np.ndarray],
    wanted: dict[str, Any],
) -> None:
    """Refuses the weights of another model.

    Raises:
      ConfigError: names the first difference.
    """
    for name in sorted(learned.keys() | wanted.keys()):
        got, want = (
            str(tuple(each[name].shape)) if name in each else "none"
            for each in (learned, wanted)
        )
        if got != want:
            raise _fault(
                config,
                f"`{name}` is {got} in {found.run.path}, and {want} in this model; give"
                " it the model section of that run's config.yaml",
            )


def _fault(config: Config, message: str) -> ConfigError:
    return config.train.fault("weights", message.rstrip(".") + ".")
