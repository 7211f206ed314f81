"""A run seen from another terminal: how long it takes yet."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from experiments import folder
from experiments.follow import look
from experiments.records import read_run
from tests.experiments.made import make_run, write_lines

NOW = datetime.now(UTC) + timedelta(minutes=1)


def row(step, after):
    time = (NOW + timedelta(seconds=after)).isoformat(timespec="seconds")
    return {"event": "log", "step": step, "step_ms": 100.0, "time": time}


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([row(10, 0), row(20, 30), row(30, 60)], "4m30s"),  # 90 steps of 3 s
        ([row(30, 0), row(30, 60)], "9s"),
        ([row(10, -3000), row(30, 60)], "9s"),  # the pause between two sessions
        ([row(30, 0) | {"time": "nonsense"}], "9s"),
    ],
)
def test_what_is_left_has_the_evaluations_in_it(tmp_path, rows, left):
    path = make_run(tmp_path, "train.duration=120steps", status="running")
    write_lines(path / "perf.jsonl", rows)
    kept = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (path / "metrics.jsonl").write_text(
        "".join(line for line in kept if json.loads(line)["step"] <= 30)
    )
    console = Console(width=200)
    with folder.lock(path), console.capture() as said:
        console.print(look(read_run(path), 80))
    assert f"about {left} left" in said.get()
