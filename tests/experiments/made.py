"""Run directories made for tests of what reads them: no training, real files."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config import load
from experiments.run import Run

STEPS = 40


def make_run(
    root: Path,
    *settings: str,
    floor: float = 1.0,
    status: str = "done",
    more: Mapping[str, float] | None = None,
) -> Path:
    """Writes a run whose losses fall towards a floor.

    Args:
      root: the folder of all runs.
      settings: overrides of the default config.
      floor: where its losses go.
      status: as its manifest says in the end.
      more: further metrics of its last evaluation.
    """
    config = load(None, [f"train.duration={STEPS}steps", *settings])
    with Run.begin(config, root) as run:
        run.start_session(data="made up")
        losses = [floor + 3 * math.exp(-step / 9) for step in range(1, STEPS + 1)]
        write_lines(run.path / "metrics.jsonl", rows(losses, more or {}))
        clocks = [{"event": "log", "step": s, "step_ms": 2.5} for s in (1, STEPS)]
        write_lines(run.path / "perf.jsonl", clocks)
        run.write_text(f"samples/step_{STEPS:08d}.txt", "the cat sat\n")
        if status == "done":
            last = {"val/loss": losses[-1], **(more or {})}
            run.write_result({"status": status, "step": STEPS, **last})
        if status != "running":
            run.set_status(status)
    return run.path


def rows(losses: Sequence[float], more: Mapping[str, float]) -> list[dict[str, Any]]:
    """What a run of so many steps logs: training each step, validation each tenth."""
    found: list[dict[str, Any]] = []
    for step, loss in enumerate(losses, 1):
        found.append({"step": step, "train/loss": loss, "tokens": step * 2048})
        if step % 10 == 0:
            found.append({"step": step, "val/loss": loss, "val/accuracy": 1 / loss})
    found[-1] |= more
    return found


def write_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Writes JSON lines at once; a run would wait for the disk at each."""
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
