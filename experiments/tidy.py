"""Every value of every curve as a row: what spreadsheets and data frames want."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from experiments.records import RunRecord

COLUMNS = ("run", "status", "task", "seed", "step", "metric", "value")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute these


def rows(records: Iterable[RunRecord]) -> Iterator[tuple[Any, ...]]:
    """Rows of COLUMNS, run by run, metric by metric; NaN where it was not finite."""
    for run in records:
        head = (run.name, run.status, run.config.data.kind, run.config.seed)
        for metric in run.metrics:
            steps, values = run.curve(metric)
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                yield (*head, step, metric, value)


def write_csv(records: Iterable[RunRecord], file: TextIO) -> int:
    """Writes the rows with a heading; returns how many there are."""
    writer, count = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(COLUMNS)
    for row in rows(records):
        writer.writerow([_harmless(each) for each in row])
        count += 1
    return count


def _harmless(value: Any) -> Any:
    return (
        f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
    )
