"""Runs as data frames, for a notebook: `experiments.load_runs`.

pandas, since every plotting and statistics library that a notebook is likely to load
takes its frames as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import UserError
from experiments.find import find_runs
from experiments.records import Damaged, RunRecord, read_runs
from experiments.summary import summary
from experiments.tidy import COLUMNS, rows

if TYPE_CHECKING:
    from pandas import DataFrame


def load_runs(
    *names: str | Path, root: str | Path = "runs", curves: bool = False
) -> DataFrame:
    """Runs as a table.

    Args:
      names: runs, starts of names, sweeps or folders of runs; none means all.
      root: the folder of all runs.
      curves: one row a logged value (run, status, task, seed, step, metric, value)
        instead of one row a run.

    Returns:
      One row a run: `run`, `status`, `task`, `step`, `loss`, ..., every key of the
      config as `config.optim.lr` and of the result as `result.val/loss`. Damaged runs
      are left out; `frame.attrs["damaged"]` has them with their reasons.

    Raises:
      UserError: a name fits nothing, or pandas is not installed.
    """
    try:
        import pandas as pd  # late: an extra, and slow to import
    except ImportError:
        raise UserError(
            "load_runs needs pandas: pip install 'attn[notebook]', or"
            " pip install -e '.[notebook]' in a checkout."
        ) from None
    records, damaged = read_runs(find_runs([str(name) for name in names], Path(root)))
    if curves:
        frame = pd.DataFrame(list(rows(records)), columns=list(COLUMNS))
    else:
        frame = pd.DataFrame([_row(run) for run in records])
    frame.attrs["damaged"] = _reasons(damaged)
    return frame


def _row(run: RunRecord) -> dict[str, object]:
    config = {f"config.{key}": value for key, value in run.flat.items()}
    result = {f"result.{key}": value for key, value in run.result.items()}
    return {**summary(run), "path": str(run.path), **config, **result}


def _reasons(damaged: Sequence[Damaged]) -> dict[str, str]:
    return {each.name: each.reason for each in damaged}
