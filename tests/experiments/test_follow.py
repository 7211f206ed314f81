"""A run seen from another terminal: how long it takes yet."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from experiments import folder
from experiments.follow import look
from experiments.records import read_run
from tests.experiments.made import make_run, write_lines


def row(step, after):
    """A line of perf.jsonl, `after` seconds from a minute from now."""
    time = datetime.now(UTC) + timedelta(minutes=1, seconds=after)
    said = time.isoformat(timespec="microseconds")
    return {"event": "log", "step": step, "step_ms": 100.0, "time": said}


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([(10, 0), (20, 30), (30, 60)], "4m30s"),  # 90 steps of 3 s
        ([(30, 0), (30, 60)], "9s"),
        ([(10, -3000), (30, 60)], "9s"),  # the pause between two sessions
        ([], "9s"),
    ],
)
def test_what_is_left_has_the_evaluations_in_it(tmp_path, rows, left):
    path = make_run(tmp_path, "train.duration=120steps", status="running")
    nonsense = row(30, 0) | {"time": "nonsense"}
    write_lines(path / "perf.jsonl", [*itertools.starmap(row, rows), nonsense])
    kept = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (path / "metrics.jsonl").write_text(
        "".join(line for line in kept if json.loads(line)["step"] <= 30)
    )
    console = Console(width=200)
    with folder.lock(path), console.capture() as said:
        console.print(look(read_run(path), 80))
    assert f"about {left} left" in said.get()
