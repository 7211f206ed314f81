"""`attn report`: runs as one page that answers, shows and can be mailed."""

from collections.abc import Sequence
from pathlib import Path

from experiments import storage
from experiments.compare.comparison import Comparison
from experiments.errors import UserError
from experiments.records import Damaged, RunRecord
from experiments.report.page import render
from experiments.report.view import make_view
from experiments.variants import Names


def write_report(
    records: Sequence[RunRecord],
    path: Path,
    *,
    title: str,
    comparison: Comparison | None = None,
    damaged: Sequence[Damaged] = (),
    names: Names | None = None,
) -> int:
    """Writes one self-contained HTML file.

    Args:
      records: runs of any number of variants, tasks and seeds.
      path: the file.
      title: of the page.
      comparison: tests and notes of `experiments.compare`; the page then shows the
        runs that it chose.
      damaged: runs that could not be read; the page names them.
      names: run name to (variant, task); None reads them off the configs.

    Returns:
      The size of the file in bytes.

    Raises:
      UserError: there is no run to report.
    """
    if not records:
        said = f" {damaged[0].reason}" if damaged else ""
        raise UserError(f"report: there is no run that can be read.{said}")
    view = make_view(
        records, title=title, damaged=damaged, comparison=comparison, names=names
    )
    text = render(view)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_atomic(path, text)
    return len(text.encode())
