"""Runs as they lie on disk: read whole, without JAX; a damaged one is named.

records, damaged = read_runs(sorted(Path("runs").iterdir()))
steps, losses = records[0].curve("val/loss")
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments import folder, storage
from experiments.config import Config, ConfigError, Derived, load, resolve
from experiments.folder import RunError

KILLED = "killed"  # the manifest says running, and nobody holds the lock
LARGEST_STEP = 2**53  # above it a float no longer holds a step exactly

Curve = tuple[np.ndarray, np.ndarray]
Row = dict[str, Any]


@dataclass(frozen=True)
class Damaged:
    """A run that cannot be read.

    Args:
      path: its directory.
      reason: one line, for the user.
    """

    path: Path
    reason: str

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.path.name


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run on disk, as it was when it was read.

    Args:
      path: its directory.
      config: resolved, as it was run.
      manifest: commands, versions, machine, status, sessions.
      status: new, running, done, failed, stopped, diverged or killed.
      result: what was reached; empty until it is done.
      rows: the records of metrics.jsonl, in order.
    """

    path: Path
    config: Config
    manifest: Mapping[str, Any] = field(repr=False)
    status: str
    result: Mapping[str, Any] = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """The name of its directory, `<config's name>-<hash8>`."""
        return self.path.name

    @property
    def tags(self) -> tuple[str, ...]:
        """The config's tags."""
        return self.config.tags

    @property
    def group(self) -> str | None:
        """The sweep or study that it was run for, if any."""
        return _text(self.manifest.get("group"))

    @property
    def variant(self) -> str | None:
        """What the sweep or study calls its setting, seeds and rates apart."""
        return _text(self.manifest.get("variant"))

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """Every session of work on it: command, versions, machine, start, end."""
        found = self.manifest.get("sessions")
        return [each for each in found or () if isinstance(each, dict)]

    @cached_property
    def derived(self) -> Derived:
        """The numbers that follow from its config, such as `steps`."""
        return resolve(self.config)

    @property
    def step(self) -> int:
        """The last step that it has logged."""
        return max((row["step"] for row in self.rows), default=0)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The names that `curve` knows, in the order of their first value."""
        names = {name: None for row in self.rows for name in row if name != "step"}
        return tuple(names)

    def curve(self, metric: str) -> Curve:
        """A metric over the run.

        Args:
          metric: such as `val/loss`.

        Returns:
          Steps [n] int64 and values [n] float64, NaN where one was not finite; n is 0
          for a metric that was never logged.
        """
        return _curve(self.rows, metric)

    def last(self, metric: str) -> float | None:
        """The value in the result, else the last of the curve, else None."""
        found = self.result.get(metric)
        if not _is_number(found):
            values = self.curve(metric)[1]
            found = values[-1] if values.size else None
        return None if found is None else _float(found)

    @cached_property
    def perf_rows(self) -> tuple[Row, ...]:
        """The records of perf.jsonl, the file that has clocks; a torn one ends them."""
        found = storage.read_lines(self.path / "perf.jsonl")
        return tuple(row for _, row in found if _is_step(row.get("step")))

    def perf(self, metric: str) -> Curve:
        """A clock over the run, such as `step_ms`; like `curve`."""
        return _curve(self.perf_rows, metric)

    @cached_property
    def samples(self) -> dict[int, str]:
        """The texts that the model wrote while it trained, by step."""
        files = sorted((self.path / "samples").glob("step_*.txt"))
        named = {each.stem.removeprefix("step_"): each for each in files}
        return {
            int(step): path.read_text(encoding="utf-8", errors="replace")
            for step, path in named.items()
            if step.isdecimal() and path.is_file()
        }

    @cached_property
    def seconds(self) -> float:
        """How long it was worked on, all sessions together."""
        return sum(_lasted(each, self._last_sign) for each in self.sessions)

    @cached_property
    def _last_sign(self) -> datetime | None:
        times = (moment(row.get("time")) for row in reversed(self.perf_rows))
        return next(filter(None, times), None)

    @cached_property
    def flat(self) -> dict[str, Any]:
        """The config by dotted key, `optim.lr`."""
        return dict(_flat(self.config.model_dump(mode="json")))


def read_run(path: str | Path) -> RunRecord | Damaged:
    """Reads a run directory; one that cannot be read comes back as `Damaged`."""
    path = Path(path)
    try:
        return _read(path)
    except RunError as error:
        reason = str(error)
    except ConfigError as error:
        reason = f"{path}: its config.yaml is damaged: {error.faults[0]}"
    except OSError as error:
        reason = f"{path}: {error.strerror or error}."
    return Damaged(path, reason)


def read_runs(paths: Iterable[str | Path]) -> tuple[list[RunRecord], list[Damaged]]:
    """Reads run directories.

    Args:
      paths: run directories, in the order wanted.

    Returns:
      Those that can be read, and the others with a reason.
    """
    found = [read_run(path) for path in paths]
    records = [each for each in found if isinstance(each, RunRecord)]
    return records, [each for each in found if isinstance(each, Damaged)]


def _read(path: Path) -> RunRecord:
    manifest = folder.read_json(path / folder.MANIFEST)
    if manifest is None:
        raise RunError(f"{path}: not a run directory (it has no manifest.json).")
    status = manifest.get("status", "new")
    if status == "running" and not storage.is_locked(path / folder.LOCK):
        status = KILLED
    return RunRecord(
        path=path,
        config=load(path / "config.yaml"),
        manifest=manifest,
        status=str(status),
        result=folder.read_json(path / "result.json") or {},
        rows=tuple(_rows(path / "metrics.jsonl")),
    )


def _rows(path: Path) -> Iterator[Row]:
    """The whole lines; the last may be torn, since it may just be being written.

    Raises:
      RunError: another line is damaged.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            row = _record(line)
            if row is not None:
                yield row
            elif line.endswith("\n"):
                raise RunError(
                    f"{path}:{number}: not a record of a step;"
                    " restore the file, or start the run over with --fresh."
                )


def _record(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and _is_step(row.get("step")) else None


def _curve(rows: Iterable[Row], metric: str) -> Curve:
    known = [row for row in rows if metric in row]
    found = [(row["step"], row[metric]) for row in known]
    found = [(step, value) for step, value in found if _is_number(value, or_null=True)]
    steps = np.array([step for step, _ in found], np.int64)
    return steps, np.array([_float(value) for _, value in found], np.float64)


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_STEP


def _is_number(value: Any, or_null: bool = False) -> bool:
    # A number that is not finite stands as null: JSON has no other way.
    return type(value) in (int, float) or (or_null and value is None)


def _float(value: Any) -> float:
    try:
        return float("nan") if value is None else float(value)
    except OverflowError:  # an integer of 400 digits
        return float("nan")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def moment(text: Any) -> datetime | None:
    """A time as it was written down, None if it is none."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _lasted(session: Mapping[str, Any], last_sign: datetime | None) -> float:
    """Seconds of a session; one that was killed ends with its last sign of life."""
    start = moment(session.get("start"))
    end = moment(session.get("end")) or last_sign
    if start is None or end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return 0.0
    return max(0.0, (end - start).total_seconds())


def _flat(tree: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
