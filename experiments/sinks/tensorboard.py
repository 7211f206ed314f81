"""Event files for TensorBoard, in `tensorboard/` of the run directory."""

import shutil
from collections.abc import Mapping

from experiments.run import Run

FOLDER = "tensorboard"


class Sink:
    """Scalars of a run.

    Args:
      run: what an earlier session wrote for it is removed.
    """

    def __init__(self, run: Run):
        from tensorboardX import SummaryWriter  # late: an extra

        folder = run.path / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder), write_to_disk=True)

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Adds a point to each scalar."""
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes the last events."""
        self._writer.close()
