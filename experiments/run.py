"""The run directory: one folder a run, one process at a time, every file whole.

runs/<name>-<hash8>/
  manifest.json   where it comes from, its status and every session of work on it
  config.yaml     the resolved config
  metrics.jsonl   numbers that only depend on the config; perf.jsonl has the clocks
  result.json     what was reached
  checkpoints/  samples/  maps/
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from experiments import earlier, folder, manifest, storage
from experiments.config import (
    Config,
    ConfigError,
    config_hash,
    differences,
    dump,
    is_same_experiment,
    load,
    moves,
)
from experiments.folder import RunError

STATUSES = ("new", "running", "done", "failed", "stopped", "diverged")


def directory(config: Config, root: str | Path = "runs") -> Path:
    """Where the run of a config lies, `runs/<name>-<first 8 of its hash>`."""
    return folder.inside(Path(root), f"{config.name}-{config_hash(config)[:8]}")


class Run:
    """One run on disk.

    Use `Run.begin` to work on it (the lock is held until `close`), `Run.open` to read.
    """

    moved: tuple[str, ...] = ()  # what its earlier session said of where to compute

    def __init__(self, path: Path, config: Config, lock: BinaryIO | None):
        self.path = path
        self.config = config
        self._lock = lock
        self._manifest = folder.read_json(path / "manifest.json") or {"status": "new"}

    @classmethod
    def begin(
        cls,
        config: Config,
        root: str | Path = "runs",
        *,
        at: Path | None = None,
        fresh: bool = False,
    ) -> Self:
        """Creates the run of a config, or reopens it, and locks it.

        Args:
          config: the config; it names the directory.
          root: the folder of all runs.
          at: the directory itself, for a run that was moved or renamed.
          fresh: starts over; what an earlier run of this config left is set aside until
            `forget_earlier`, and put back if this one is closed before.

        Raises:
          RunError: it is in use, not a run directory, or of another config.
        """
        path = directory(config, root) if at is None else at
        folder.check_contents(path)  # before the lock: it is a file, too
        path.mkdir(parents=True, exist_ok=True)
        lock = folder.lock(path)
        try:
            folder.check_contents(path)
            storage.remove_stale(path)
            storage.remove_stale(path / "samples")
            storage.remove_stale(path / "maps")
            earlier.restore(path)  # what a killed start with `fresh` had set aside
            if fresh:
                earlier.set_aside(path)
            known = (path / "manifest.json").exists()
            moved = check_same(path, config) if known else []
            run = cls._start(path, config, lock)
            run.moved = tuple(moved)
            return run
        except BaseException:
            with lock:
                earlier.restore(path)
            raise

    @classmethod
    def _start(cls, path: Path, config: Config, lock: BinaryIO) -> Self:
        for name in ("checkpoints", "samples"):
            (path / name).mkdir(exist_ok=True)
        storage.write_atomic(path / "config.yaml", dump(config))
        run = cls(path, config, lock)
        if run.status == "new":  # the manifest comes last: with it the run exists
            run.describe(format=1, status="new", seed=config.seed, sessions=[])
        return run

    @classmethod
    def open(cls, path: str | Path, *, lock: bool = False) -> Self:
        """An existing run, to read; with `lock`, to work on.

        Raises:
          RunError: there is no run, its files are damaged, or it is in use.
        """
        path = Path(path)
        if not (path / "manifest.json").is_file():
            raise RunError(f"{path}: not a run directory (it has no manifest.json).")
        config = _stored_config(path)
        return cls(path, config, folder.lock(path) if lock else None)

    @property
    def status(self) -> str:
        """One of new, running, done, failed, stopped, diverged.

        A run that was killed still says running; nobody holds its lock then.
        """
        return self._manifest.get("status", "new")

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the manifest."""
        return json.loads(json.dumps(self._manifest))

    @property
    def result(self) -> dict[str, Any] | None:
        """What was reached, or None as long as it is not done."""
        return folder.read_json(self.path / "result.json")

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of samples."""
        return self.path / "samples"

    def describe(self, **entries: Any) -> None:
        """Adds entries to the manifest, such as devices or a data fingerprint."""
        self._writable()
        self._manifest |= entries
        text = storage.to_json(self._manifest, indent=2)
        storage.write_atomic(self.path / "manifest.json", text + "\n")

    def start_session(self, **entries: Any) -> None:
        """Notes that work begins: command, versions, machine, time."""
        session = manifest.origin() | {"start": manifest.now()} | entries
        sessions = [*self._manifest.get("sessions", []), session]
        self.describe(status="running", sessions=sessions)

    def amend_session(self, **entries: Any) -> None:
        """Adds to what the manifest says of the session that began last."""
        *earlier, last = self._manifest["sessions"]
        self.describe(sessions=[*earlier, last | entries])

    def set_status(self, status: str, **entries: Any) -> None:
        """Notes how the work stands or ended; ends the session unless running."""
        assert status in STATUSES, status
        sessions = self._manifest.get("sessions", [])
        if sessions and status != "running":
            ended = {"end": manifest.now(), "status": status}
            sessions = [*sessions[:-1], sessions[-1] | ended]
        self.describe(status=status, sessions=sessions, **entries)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Adds a line to metrics.jsonl; it holds `step` and no clock."""
        self._writable()
        assert "step" in record, record
        storage.append_line(self.path / "metrics.jsonl", record)

    def append_perf(self, record: Mapping[str, Any]) -> None:
        """Adds a line to perf.jsonl: times, memory, recompiles."""
        self._writable()
        storage.append_line(self.path / "perf.jsonl", record)

    def metrics(self) -> list[dict[str, Any]]:
        """The records of metrics.jsonl."""
        return [record for _, record in storage.read_lines(self.path / "metrics.jsonl")]

    def keep_metrics(self, count: int) -> None:
        """Keeps the first lines of metrics.jsonl: those a checkpoint vouches for."""
        self._writable()
        path = self.path / "metrics.jsonl"
        kept = [line for line, _ in storage.read_lines(path)][:count]
        if len(kept) < count:
            raise RunError(
                f"{path}: has {len(kept)} lines, but its checkpoint was written after"
                f" {count}; restore the file, or start over with --fresh."
            )
        storage.write_atomic(path, "".join(kept))

    def sync_metrics(self) -> None:
        """Waits until the disk has the metrics: a power cut cannot lose them then."""
        storage.sync(self.path / "metrics.jsonl")

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Writes result.json: one flat record."""
        self.write_text("result.json", storage.to_json(result, indent=2) + "\n")

    def write_text(self, name: str, text: str | bytes) -> None:
        """Writes a file of the run at once; `name` may have one folder."""
        self._writable()
        for part in name.split("/"):
            folder.check_name(part)
        (self.path / name).parent.mkdir(exist_ok=True)
        storage.write_atomic(self.path / name, text)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been computed yet."""
        return not self.metrics() and not any(self.checkpoints.iterdir())

    def forget_earlier(self) -> None:
        """Removes what `fresh` has set aside: there is something in its place now."""
        self._writable()
        earlier.forget(self.path)

    @property
    def is_provisional(self) -> bool:
        """Whether closing puts back what was here before `fresh`."""
        return earlier.is_aside(self.path)

    def discard(self) -> None:
        """Removes the whole run; for one that could not even begin."""
        self._writable()
        if not self.is_provisional:
            shutil.rmtree(self.path)
        self.close()

    def close(self) -> None:
        """Gives the lock back."""
        if self._lock is not None:
            with self._lock:
                earlier.restore(self.path)
            self._lock = None

    def _writable(self) -> None:
        assert self._lock is not None, "Run.open(..., lock=True) to write"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_same(path: Path, config: Config) -> list[str]:
    """Refuses to continue a run whose stored config would compute something else.

    Returns:
      What has changed of where it is computed: that is the user's to choose.
    """
    stored = _stored_config(path)
    if not is_same_experiment(stored, config):
        changed = "; ".join(differences(stored, config))
        raise RunError(
            f"{path}: was started with another config ({changed});"
            " use `attn train --fresh` to start over, or another `name`."
        )
    return moves(stored, config)


def _stored_config(path: Path) -> Config:
    try:
        return load(path / "config.yaml")
    except ConfigError as error:
        raise RunError(
            f"{path}: its config.yaml is damaged: {error.faults[0]}"
        ) from None
