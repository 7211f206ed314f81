"""What a run of cases leaves: one JSON file, written after every case."""

import json
import os
import platform
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments import manifest, storage
from experiments.bench import validity
from experiments.bench.race import CONTROL
from experiments.bench.statistics import Ratio, Summary
from experiments.errors import UserError

SCHEMA = 1
UNJUDGED = "not judged"  # instead of a verdict, in a case whose times mean nothing
# A list of numbers over several lines; no text of JSON has a line break in it.
NUMBERS = re.compile(r"\[\n\s*([-+.\de]+(?:,\n\s*[-+.\de]+)*)\n\s*\]")
PACKAGES = ("torch", "equinox", "x-transformers")


@dataclass(frozen=True)
class Row:
    """A contender of a case.

    Args:
      name: of the contender.
      refused: why it has no times, or None.
      rounds: seconds of each piece of work, round by round.
      time: their summary; None if it was refused.
      ratio: its time over ours, with a verdict; None for ours.
      goal, stretch: what ratio we wanted; None without a wish.
      reached: missed, met or stretch; not judged in an invalid case; empty without a
        goal.
      error: of its outputs against ours.
      floor: the least seconds that the measured ceilings allow; None if unknown.
      facts: of its process: program, kernel, peak, faults, and what it really had of
        cores, threads, allocator and seeds.
    """

    name: str
    refused: str | None = None
    rounds: list[list[float]] = field(default_factory=list)
    time: Summary | None = None
    ratio: Ratio | None = None
    goal: float | None = None
    stretch: float | None = None
    reached: str = ""
    error: float | None = None
    floor: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A case that has been measured.

    Args:
      label: of the work.
      work: its fields.
      rows: ours first, then the control and the rivals.
      load: average load of the machine before and after.
      level: whether ours against itself came out level; None without a control, and
        False if it could not run.
      seconds: that measuring took.
      cores: of the machine; 0 if unknown.
    """

    label: str
    work: dict[str, Any]
    rows: list[Row]
    load: tuple[float, float]
    level: bool | None
    seconds: float
    cores: int = 0

    def row(self, name: str) -> Row:
        """The contender of a name."""
        return next(each for each in self.rows if each.name == name)

    @property
    def fault(self) -> str:
        """Why its ratios should not be believed, and what to do; empty if they may."""
        if self.rows[0].time is None:
            return "ours was not measured"
        control = self.row(CONTROL) if self.level is not None else None
        if control is not None and control.time is None:
            return "ours against itself was not measured"
        times = {row.name: row.time for row in self.rows if row.time is not None}
        return validity.few(len(self.rows[0].rounds)) or validity.noise(
            self.load[0], self.cores, times, control and control.ratio
        )


def judged(case: Measured) -> Measured:
    """The case, without verdicts on others if its times mean nothing."""
    if not case.fault:
        return case
    rows = [row if row.name == CONTROL else _unjudged(row) for row in case.rows]
    return replace(case, rows=rows)


def _unjudged(row: Row) -> Row:
    ratio = row.ratio and replace(row.ratio, verdict=UNJUDGED)
    return replace(row, ratio=ratio, reached=row.reached and UNJUDGED)


@dataclass
class Record:
    """A run.

    Args:
      suite: of its cases.
      about: command, date, versions, machine.
      rules: rounds, seconds of a burst, threads, allocator, as asked for; None is as
        each contender has it, see its facts.
      ceilings: what the machine could do in the same run, see `ceilings`.
      cases: as far as they were measured.
      planned: how many there should be.
    """

    suite: str
    about: dict[str, Any]
    rules: dict[str, Any]
    ceilings: dict[str, Any] = field(default_factory=dict)
    cases: list[Measured] = field(default_factory=list)
    planned: int = 0

    @property
    def invalid(self) -> list[str]:
        """Why its ratios should not be believed; empty if they may be."""
        said = [f"{each.label}: {each.fault}" for each in self.cases if each.fault]
        if len(self.cases) < self.planned:
            said.append(f"{len(self.cases)} of {self.planned} cases were measured")
        return said

    def write(self, path: Path) -> None:
        """Replaces the file at once."""
        said = {"schema": SCHEMA, **asdict(self), "invalid": self.invalid}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = NUMBERS.sub(_in_line, storage.to_json(said, indent=1))
        storage.write_atomic(path, text + "\n")


def _in_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


def load(path: Path) -> Record:
    """Reads a record.

    Raises:
      UserError: it is none, or of another schema.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        schema = said.pop("schema")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(f"{path}: no record of `attn bench`.") from None
    if schema != SCHEMA:
        raise UserError(
            f"{path}: expected schema {SCHEMA}, got {schema!r}; measure again."
        )
    said.pop("invalid", None)
    try:
        said["cases"] = [_measured(each) for each in said["cases"]]
        return Record(**said)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else "is damaged"
        raise UserError(f"{path}: the record {what}; measure again.") from None


def _measured(said: dict[str, Any]) -> Measured:
    rows = [_row(each) for each in said.pop("rows")]
    said["load"] = tuple(said["load"])
    return judged(Measured(**said, rows=rows))


def _row(said: dict[str, Any]) -> Row:
    time, ratio = said.pop("time"), said.pop("ratio")
    return Row(
        **said,
        time=None if time is None else Summary(**time),
        ratio=None if ratio is None else Ratio(**ratio),
    )


def about() -> dict[str, Any]:
    """Where a run comes from: what `attn train` notes, and the processor."""
    found = manifest.origin()
    found["versions"] |= {name: manifest.version(name) for name in PACKAGES}
    keep = ("command", "versions", "python", "system", "cores", "git", "environment")
    return {
        "date": manifest.now(),
        **{name: found[name] for name in keep},
        "processor": processor(),
    }


def processor() -> str:
    """The processor's name and what it can that matters."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*: (.*)", text)
    flags = set((re.search(r"flags\s*: (.*)", text) or ["", ""])[1].split())
    known = [each for each in ("avx2", "fma", "avx512f", "amx_tile") if each in flags]
    return " ".join([name[1] if name else platform.machine(), *known])


def all_cores() -> int:
    """How many the machine has, which its load is about; 0 where nobody knows."""
    return os.cpu_count() or 0


def load_average() -> float:
    """Of the last minute; 0 where nobody knows."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
