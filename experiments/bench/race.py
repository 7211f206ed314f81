"""Contenders take turns: fresh processes, alternating order, ours against itself."""

import re
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.contender import Refused
from experiments.bench.pipe import Worker
from experiments.bench.rivals import CONTENDERS
from experiments.bench.work import Work

OURS, CONTROL = "ours", "ours again"
REST = 0.25  # seconds for the spinning threads of the last one to sleep
DIGITS = 9  # of seconds: a clock tells no more, and a record has thousands of them
AGREE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 5e-3}


@dataclass(frozen=True)
class Rules:
    """How a race is run.

    Args:
      rounds: turns of each.
      burst: seconds of a turn.
      threads: of each process; None is all cores.
      allocator: whether all keep freed memory; None does as whoever has the work does:
        in a training step all do, since our runner does, and in a plain call nobody.
      control: whether ours takes part twice.
      force: measures cases of another platform, too.
      profile: a folder for traces of those that can write one, or None.
    """

    rounds: int = 5
    burst: float = 0.4
    threads: int | None = None
    allocator: bool | None = None
    control: bool = True
    force: bool = False
    profile: str | None = None


@dataclass
class Result:
    """What a contender did.

    Args:
      name: of the contender.
      refused: why it did not run, or None.
      rounds: seconds of each piece of work, round by round.
      error: RMS distance of its outputs to ours over the RMS of ours; None for ours.
      facts: what its process told.
    """

    name: str
    refused: str | None = None
    rounds: list[list[float]] = field(default_factory=list)
    error: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def race(
    work: Work,
    rivals: Sequence[str],
    rules: Rules,
    *,
    targets: dict[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Result]:
    """Times a piece of work by ours and by rivals.

    Args:
      work: what is computed.
      rivals: names; one that cannot run is in the result with its reason.
      rules: rounds and the rest.
      targets: name -> `module:function`, over the table of the suite.
      tell: hears what is being done.

    Raises:
      Refused: ours cannot.
    """
    table = {**CONTENDERS.get(work.suite, {}), **(targets or {})}
    names = [OURS, *([CONTROL] if rules.control else []), *rivals]
    table[CONTROL] = table[OURS]
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        field = Field(work, rules, Path(folder), stack, tell)
        for name in names:
            field.enter(name, table.get(name))
        field.turns()
        if rules.profile is not None:
            field.profiles(Path(rules.profile))
        return field.results


class Field:
    """The contenders of one race."""

    def __init__(
        self,
        work: Work,
        rules: Rules,
        folder: Path,
        stack: ExitStack,
        tell: Callable[[str], None],
    ):
        self.work, self.rules, self.folder = work, rules, folder
        self.stack, self.tell = stack, tell
        self.workers: dict[str, Worker] = {}
        self.results: dict[str, Result] = {}
        self.expected: list[np.ndarray] = []

    def enter(self, name: str, target: str | None) -> None:
        """Starts a process and compares its outputs; a refusal is a result, too.

        Raises:
          Refused: it is ours that refuses.
        """
        self.tell(f"{self.work.label}: {name} starts")
        result = self.results[name] = Result(name)
        try:
            if target is None:
                raise Refused(f"there is no contender {name!r} for {self.work.suite}")
            worker = self.start(target, given=name != OURS)
            result.facts = worker.answer()
            result.error = self.check(name, worker)
        except Refused as error:
            result.refused = str(error)
            if name == OURS:
                raise
            return
        self.workers[name] = worker

    def start(self, target: str, *, given: bool) -> Worker:
        """A process with the arrays that ours has given."""
        return self.stack.enter_context(
            Worker(
                target,
                work=self.work.to_json(),
                threads=self.rules.threads,
                allocator=self.work.in_runner
                if self.rules.allocator is None
                else self.rules.allocator,
                given=str(self.folder / "given.npz") if given else None,
            )
        )

    def check(self, name: str, worker: Worker) -> float | None:
        """How far its outputs are from ours.

        Raises:
          Refused: they differ, or are not finite, so that a time would mean nothing.
        """
        path = self.folder / "outputs.npz"
        kept = self.folder / ("given.npz" if name == OURS else "unused.npz")
        worker.ask(do="check", path=str(path), given=str(kept))
        with np.load(path) as file:
            found = [file[key] for key in file.files]
        if not all(np.isfinite(each).all() for each in found):
            raise Refused("its result is not finite")
        if name == OURS:
            self.expected = found
            return None
        error = distance(self.expected, found)
        bound = self.work.agree or AGREE[getattr(self.work, "dtype", "float32")]
        if not error <= bound:
            raise Refused(f"its result differs from ours by {error:.1e} of its size")
        return error

    def turns(self) -> None:
        """Every round all take a turn, in one order and then in the other."""
        for number in range(self.rules.rounds):
            names = [name for name in self.workers if not self.results[name].refused]
            for name in names if number % 2 == 0 else reversed(names):
                self.turn(name, number)

    def turn(self, name: str, number: int) -> None:
        """A burst of one contender; who fails in it takes no other.

        Raises:
          Refused: it is ours that fails, and nothing is left to compare with.
        """
        result = self.results[name]
        self.tell(f"{self.work.label}: round {number + 1}, {name}")
        time.sleep(REST)
        try:
            said = self.workers[name].ask(
                do="run", seconds=self.rules.burst, least=self.work.least
            )
        except Refused as error:
            result.refused = str(error)
            if name == OURS:
                raise
            return
        units = result.facts.get("units", 1)
        times = [round(seconds / units, DIGITS) for seconds in said["times"]]
        result.rounds.append(times)
        for key in ("faults", "cpu"):
            result.facts.setdefault(key, []).append(said[key] / units)
        for key, value in said["after"].items():
            result.facts.setdefault(key, []).append(value)

    def profiles(self, folder: Path) -> None:
        """A trace of each that can write one, or why it cannot, after all timing."""
        for name, worker in self.workers.items():
            result = self.results[name]
            if result.refused or name == CONTROL:
                continue
            if not result.facts["can_profile"]:
                result.facts["profile"] = "no profile: its process writes no trace"
                continue
            self.tell(f"{self.work.label}: profile of {name}")
            place = str(folder / file_name(self.work, name))
            try:
                result.facts["profile"] = worker.ask(do="profile", folder=place)["text"]
            except Refused as error:
                result.facts["profile"] = f"no profile: {error}"


def file_name(work: Work, name: str) -> str:
    """A name for what a contender leaves."""
    return re.sub(r"[^A-Za-z0-9+.]+", "-", f"{work.label} {name}")


def distance(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """The largest relative RMS difference of a pair; infinite for other shapes.

    A pair of which one has NaN makes it NaN, wherever the pair stands.
    """
    if [x.shape for x in ours] != [x.shape for x in theirs]:
        return float("inf")
    gaps = [
        float(np.sqrt(np.mean((a - b) ** 2)) / (np.sqrt(np.mean(a**2)) or 1.0))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return float(np.max(gaps, initial=0.0))  # max() would pass over a NaN
