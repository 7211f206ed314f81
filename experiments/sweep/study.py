"""A study from its file to its report: train all, compare, write."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from experiments import signals, storage
from experiments.compare.compare import compare
from experiments.compare.comparison import Asked as Comparing
from experiments.compare.members import find
from experiments.compare.render import show
from experiments.config.many import Many
from experiments.errors import UserError
from experiments.sweep.index import read_index
from experiments.sweep.verb import Asked, train_all

REPORT, COMPARISON = "report.html", "comparison.json"


def study(
    many: Many, asked: Asked, *, quiet: bool = False, half: bool = False
) -> tuple[int, dict[str, Any]]:
    """Trains what is missing, compares and writes the report.

    Args:
      many: the file.
      asked: options of the training.
      quiet: prints nothing.
      half: chooses tuned values by half of the seeds and reports the other.

    Returns:
      The exit code, and a record of what was planned, done and found.

    Raises:
      UserError: no run came to its end, or there is nothing to choose by half.
    """
    if half and (not many.plan.axes or many.plan.seeds < 2):
        raise UserError(
            "attn study: --half chooses among the values of `axes:` by half of two or"
            " more seeds, which this study has not; leave it out."
        )
    code, record = train_all(many, asked, quiet=quiet)
    if code == signals.STOPPED or asked.dry_run:
        return code, record
    console = Console(quiet=quiet, highlight=False)
    path = Path(record["sweep"])
    index = read_index(path)
    found = find([str(path)], asked.runs)
    comparison = compare(
        found,
        Comparing(
            title=index.title,
            metric=index.metric,
            goal=index.goal,
            reference=index.reference,
            half=half,
        ),
    )
    show(comparison, console)
    text = storage.to_json(comparison.to_json(), indent=1)
    storage.write_atomic(path / COMPARISON, text + "\n")
    from experiments.report import write_report  # late: charts are slow to import

    records = [each.record for each in found.members]
    write_report(
        records,
        path / REPORT,
        title=index.title,
        comparison=comparison,
        damaged=found.damaged,
        names={m.record.name: (m.variant, m.task) for m in found.members},
    )
    console.print(Text(f"The report is {path / REPORT}"), soft_wrap=True)
    record["comparison"] = comparison.to_json()
    return code, record
