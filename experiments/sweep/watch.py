"""How far a sweep is, read from the directories of its runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from experiments import folder
from experiments.errors import UserError
from experiments.progress import duration
from experiments.sweep.plan import Plan, Planned

TAIL = 4096  # bytes; the last line of a metrics file is in there
EVERY = 1.0  # seconds between looks
ENDED = ("done", "diverged", "failed")


class Watch:
    """Looks at the runs of a plan now and then.

    Args:
      plan: whose runs are watched.
    """

    def __init__(self, plan: Plan):
        self.plan, self.start, self.looked = plan, time.monotonic(), 0.0
        self.open = list(plan.todo)
        self.cost = max(1e-9, sum(run.cost for run in plan.todo))
        self.ended = 0.0
        self.before = sum(_cost_done(run) for run in plan.todo)
        self.now = self.before

    @property
    def share(self) -> float:
        """Of the work, from 0 to 1."""
        return min(1.0, self.now / self.cost)

    def left(self) -> str:
        """`3 of 12 runs, about 2m10s left`; no guess before there is a measurement."""
        count = len(self.plan.todo)
        said = f"{count - len(self.open)} of {count} runs"
        passed, moved = time.monotonic() - self.start, self.now - self.before
        rest = self.cost - self.now
        if moved > 0.05 * self.cost:
            return f"{said}, about {duration(passed * rest / moved)} left"
        guess = self.plan.seconds
        if guess is None:
            return said
        return f"{said}, about {duration(max(0.0, guess - passed))} left"

    def news(self, last: bool = False) -> Iterator[str]:
        """A line for each run that has ended since the last look."""
        if time.monotonic() - self.looked < EVERY and not last:
            return
        self.looked = time.monotonic()
        still, running = [], 0.0
        for run in self.open:
            line = _ending(run)
            if line is None:
                still.append(run)
                running += _cost_done(run)
            else:
                self.ended += run.cost
                yield line
        self.open, self.now = still, self.ended + running


def _ending(run: Planned) -> str | None:
    """What to say about a run that has ended, else None."""
    try:
        manifest = folder.read_json(run.path / folder.MANIFEST) or {}
        result = folder.read_json(run.path / "result.json") or {}
    except UserError:
        return None
    status = manifest.get("status")
    if status not in ENDED or (status in ENDED[1:] and status == run.status):
        return None
    what = ", ".join(x for x in (run.point.task, run.point.variant) if x)
    loss = result.get("val/loss")
    number = f"  val/loss {loss:.4f}" if isinstance(loss, float) else ""
    reason = f"  {manifest.get('reason', '')}" if status != "done" else ""
    return f"{run.path.name}  {what}  seed {run.seed}  {status}{number}{reason}"


def _cost_done(run: Planned) -> float:
    return run.cost * min(1.0, last_step(run.path / "metrics.jsonl") / run.steps)


def last_step(path: Path) -> int:
    """The step of the last whole line of a metrics file; 0 if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        return int(json.loads(whole[-1])["step"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0
