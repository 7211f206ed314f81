"""What a sweep will do: which runs are left, which share a program, who does them."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import folder
from experiments.config import Config, resolve
from experiments.config.many import Point
from experiments.errors import UserError
from experiments.manifest import cores
from experiments.progress import duration
from experiments.run import directory
from experiments.sweep.begun import begun
from experiments.sweep.cost import cost_of
from experiments.sweep.pace import START, Paces, Way
from experiments.sweep.traced import program_hash, varying

Groups = dict[tuple[str, tuple[str, ...]], list["Planned"]]  # by program and its keys
ACCELERATORS = ("/dev/nvidia0", "/dev/accel0", "/dev/vfio/0")


@dataclass(frozen=True)
class Planned:
    """One run of a sweep.

    Args:
      point: its config, and the words for it.
      path: its directory.
      status: as on disk; new if there is nothing.
    """

    point: Point
    path: Path
    status: str

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.point.config.seed

    @cached_property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return resolve(self.point.config).steps

    @cached_property
    def cost(self) -> float:
        """Of the whole run, in optimizer steps of its own."""
        return cost_of(self.point.config)


@dataclass(frozen=True)
class Part:
    """Runs of one program that one worker does.

    Args:
      program: hash of the program.
      keys: the numbers in which the runs of the program differ, the ended ones among
        them: what is left does not change how it is computed.
      runs: what is to be done.
    """

    program: str
    keys: tuple[str, ...]
    runs: tuple[Planned, ...]

    @property
    def cost(self) -> float:
        """Steps of all its runs."""
        return sum(run.cost for run in self.runs)


@dataclass(frozen=True)
class Plan:
    """A sweep before it starts.

    Args:
      root: the folder of all runs.
      runs: all of them, in order.
      parts: what is left, by program.
      way: how it is computed.
      chosen: why so.
      paces: what is known about times.
    """

    root: Path
    runs: tuple[Planned, ...]
    parts: tuple[Part, ...]
    way: Way
    chosen: str
    paces: Paces

    @property
    def todo(self) -> list[Planned]:
        """The runs that are left."""
        return [run for part in self.parts for run in part.runs]

    def without(self, names: Collection[str]) -> "Plan":
        """The plan for the other runs, those of some names left out."""
        kept = [
            replace(part, runs=tuple(r for r in part.runs if r.path.name not in names))
            for part in self.parts
        ]
        return replace(self, parts=tuple(part for part in kept if part.runs))

    @property
    def seconds(self) -> float | None:
        """How long it will take by what was measured here; None if nothing was."""
        times = [self.paces.seconds(part, self.way) for part in self.parts]
        if not times or None in times:
            return None if times else 0.0
        spans = [time for time in times if time is not None]
        return makespan(spans, self.way.workers, START)

    def words(self) -> str:
        """What will be done, `96 runs = 8 programs x 12, ..., about 14m00s`."""
        done = len(self.runs) - len(self.todo)
        if not self.todo:
            return f"{len(self.runs)} runs, all of them ended. Nothing is left to do."
        programs = {part.program for part in self.parts}
        each = sorted({self._of(program) for program in programs})
        size = f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"
        noun = "program" if len(programs) == 1 else "programs"
        unit = "lanes" if self.way.lanes > 1 else "runs"
        text = f"{len(self.todo)} runs = {len(programs)} {noun} x {size} {unit}"
        text += f", {self.way.words()} ({self.chosen})"
        text += f"; {done} more have ended already" if done else ""
        took = self.seconds
        known = "time not measured yet" if took is None else f"about {duration(took)}"
        return f"{text}, {known}."

    def _of(self, program: str) -> int:
        return sum(len(part.runs) for part in self.parts if part.program == program)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "runs": [
                {
                    "run": str(run.path),
                    "status": run.status,
                    "variant": run.point.variant,
                    "task": run.point.task,
                    "seed": run.point.config.seed,
                }
                for run in self.runs
            ],
            "todo": len(self.todo),
            "programs": len({part.program for part in self.parts}),
            "workers": self.way.workers,
            "lanes": self.way.lanes,
            "chosen": self.chosen,
            "seconds": self.seconds,
        }


def make_plan(
    points: Sequence[Point],
    root: Path,
    *,
    workers: int | None = None,
    lanes: int | None = None,
    again: bool = False,
) -> Plan:
    """Plans the runs of some points.

    Args:
      points: the runs; two of one config are one run.
      root: the folder of all runs.
      workers: processes at once; None takes what was measured to be fastest here.
      lanes: runs side by side; None likewise.
      again: does diverged runs once more.
    """
    runs: dict[Path, Planned] = {}
    for point in points:
        path = directory(point.config, root)
        runs[path] = Planned(point, path, _status(path))
    ended = ("done",) if again else ("done", "diverged")
    left = [run for run in runs.values() if run.status not in ended]
    groups, paces = grouped(runs.values(), left), Paces.read(root)
    way, chosen = _way(groups, workers, lanes, paces)
    parts = tuple(_parts(groups, way.workers))
    return Plan(root, tuple(runs.values()), parts, way, chosen, paces)


def grouped(runs: Collection[Planned], left: Iterable[Planned]) -> Groups:
    """The runs that are left, by program and the numbers that are its arguments.

    Args:
      runs: all of them.
      left: those to be done; one that has begun keeps its program.
    """
    alike: dict[str, list[Config]] = {}
    programs = {run.path: program_hash(run.point.config) for run in runs}
    for run in runs:
        alike.setdefault(programs[run.path], []).append(run.point.config)
    keys = {program: varying(configs) for program, configs in alike.items()}
    groups: Groups = {}
    for run in left:
        program, known = programs[run.path], begun(run.path)
        used = keys[program] if known is None else known.keys
        groups.setdefault((program, used), []).append(run)
    return groups


def _status(path: Path) -> str:
    """The status of a run on disk; one that cannot be read is told when it starts."""
    try:
        manifest = folder.read_json(path / folder.MANIFEST) or {}
        result = folder.read_json(path / "result.json")
    except UserError:
        return "damaged"
    status = str(manifest.get("status", "new"))
    return "stopped" if status == "done" and result is None else status


def _way(
    groups: Groups,
    workers: int | None,
    lanes: int | None,
    paces: Paces,
) -> tuple[Way, str]:
    """How to compute, and why."""
    most = max((len(group) for group in groups.values()), default=1)
    left = sum(len(group) for group in groups.values())
    if workers is not None or lanes is not None:
        return Way(min(workers or 1, left or 1), min(lanes or 1, most)), "as asked"
    measured = paces.fastest(next(iter(groups), ("", ()))[0])
    if measured is not None:
        way, share = measured
        way = Way(min(way.workers, left or 1), min(way.lanes, most))
        return way, f"measured here: {share:.2f} of one after the other"
    if shares_device([run.point.config for group in groups.values() for run in group]):
        return Way(1, 1), "one process for the accelerator"
    return Way(min(cores(), left or 1)), "not measured here; --measure compares"


def shares_device(configs: Sequence[Config]) -> bool:
    """Whether there is an accelerator, of which a process takes all the memory.

    Found from device files, since asking JAX would start it in this process.
    """
    asked = {config.platform for config in configs}
    there = any(Path(name).exists() for name in ACCELERATORS)
    return bool(asked & {"gpu", "tpu"}) or (None in asked and there)


def _parts(groups: Groups, workers: int) -> Iterator[Part]:
    """Programs whole where that keeps all workers busy; what is left over is cut."""
    order = sorted(groups.items(), key=lambda item: -sum(r.cost for r in item[1]))
    whole = len(order) - len(order) % workers
    for number, ((program, keys), runs) in enumerate(order):
        pieces = 1 if number < whole else min(workers, len(runs))
        size = math.ceil(len(runs) / pieces)
        for first in range(0, len(runs), size):
            yield Part(program, keys, tuple(runs[first : first + size]))


def makespan(times: Sequence[float], workers: int, start: float = 0.0) -> float:
    """When the last worker is done, each taking the next job as it becomes free."""
    ends = [start] * workers
    for time in times:
        ends[ends.index(min(ends))] += time
    return max(ends)
