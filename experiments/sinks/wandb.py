"""An offline W&B run, in `wandb/` of the run directory; `wandb sync` sends it."""

import shutil
from collections.abc import Mapping

from experiments.run import Run

FOLDER, PROJECT = "wandb", "attn"


class Sink:
    """The history of a run.

    Args:
      run: what an earlier session wrote for it is removed; its id stays the same.
    """

    def __init__(self, run: Run):
        import wandb  # late: an extra

        shutil.rmtree(run.path / FOLDER, ignore_errors=True)
        # Nothing of the machine, the code or the console: what a run is stands in its
        # own manifest, and nobody should upload more than they asked for.
        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            reinit="create_new",  # runs side by side have one each
        )
        self._run = wandb.init(
            mode="offline",
            project=PROJECT,
            name=run.path.name,
            id=run.path.name,
            dir=str(run.path),
            config=run.config.model_dump(mode="json"),
            tags=run.config.tags,
            settings=quiet,
        )

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Adds values to a step of the history."""
        self._run.log(dict(row), step=step)

    def close(self) -> None:
        """Writes the last values."""
        self._run.finish()
