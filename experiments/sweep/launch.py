"""Worker processes: started, fed, stopped; one that dies takes only its job along."""

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments import folder
from experiments.errors import UserError
from experiments.manifest import cores
from experiments.session import settings
from experiments.signals import STOPPED
from experiments.sweep.pace import Way
from experiments.sweep.plan import Part

ENDED = ("done", "diverged", "failed", "stopped")
NOT_BEGUN = ("not begun", "")
Request = dict[str, Any]
Answer = dict[str, Any] | None


def request(
    part: Part, root: Path, group: str, way: Way, *, again: bool = False
) -> Request:
    """What a worker is sent to do a part of a plan."""
    configs = [run.point.config for run in part.runs]
    return {
        "settings": dataclasses.asdict(settings(configs[0])),
        "configs": [each.model_dump(mode="json") for each in configs],
        "variants": [run.point.variant for run in part.runs],
        "keys": list(part.keys),
        "root": str(root),
        "group": group,
        "lanes": way.lanes,
        "again": again,
    }


class Worker:
    """One process that does requests, one at a time.

    Args:
      share: which cores it may use; None means all.
      errors: where its standard error goes.
    """

    def __init__(self, share: Sequence[int] | None, errors: Path):
        self.share, self.errors = share, errors
        self.process: subprocess.Popen[str] | None = None
        self.settings: Any = None
        self.told: int | None = None  # the signal that it was sent

    def ask(self, wanted: Request) -> Answer:
        """Has a request done; None if the process ended without an answer."""
        if self.process is None or self.settings != wanted["settings"]:
            self.close()
            self._start()
            self.settings = wanted["settings"]  # JAX takes them once
        if self.told is not None:  # while it was being started, so that none reached it
            self.close()
            self.code = STOPPED
            return None
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(wanted) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.close()
            # A signal that comes before the process has a handler ends it, too.
            at_once = self.told is not None and code == -self.told
            self.code = STOPPED if at_once else code
            return None
        answer = json.loads(line)
        if "failed" in answer:  # JAX may have started by half: the next gets a new one
            self.close()
        return answer

    code = 0  # of the process that ended without an answer

    def _start(self) -> None:
        cores = list(self.share) if self.share else None
        options = json.dumps({"cores": cores, "said": sys.argv[1:]})
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.sweep.worker", options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Not in the terminal's group: a Ctrl-C would reach it twice.
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Sends the process a signal, if there is one; nothing is begun after it."""
        self.told = number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> int:
        """Ends the process, which ends by itself when its input does."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # it was killed
                    pipe.close()
        return process.wait()


def shares(workers: int) -> list[list[int] | None]:
    """Which cores each worker gets; None where there is nothing to divide."""
    if workers == 1 or not hasattr(os, "sched_getaffinity") or cores() < workers:
        return [None] * workers
    mine = sorted(os.sched_getaffinity(0))
    return [mine[number::workers] for number in range(workers)]


class Crew:
    """Workers that go through requests together.

    Args:
      way: how many there are.
      errors: where what they print goes.
    """

    def __init__(self, way: Way, errors: Path):
        self.workers = [Worker(share, errors) for share in shares(way.workers)]
        self.stopped = False

    def start(
        self, requests: Sequence[Request], answered: Callable[[int, Answer, int], None]
    ) -> list[threading.Thread]:
        """Begins to work; `answered(number, answer, exit code)` is called for each."""
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(requests)):
            todo.put(number)

        def serve(worker: Worker) -> None:
            while not self.stopped:
                try:
                    number = todo.get_nowait()
                except queue.Empty:
                    return
                answered(number, worker.ask(requests[number]), worker.code)

        threads = [
            threading.Thread(target=serve, args=(each,), daemon=True)
            for each in self.workers
        ]
        for thread in threads:
            thread.start()
        return threads

    def stop(self, number: int) -> None:
        """Passes a signal on; what is computed is saved, nothing else is begun."""
        self.stopped = True
        for worker in self.workers:
            worker.signal(number)

    def close(self) -> None:
        """Ends the processes."""
        for worker in self.workers:
            worker.close()


def ended(code: int, log: Path) -> tuple[str, str]:
    """Status and reason of runs whose worker ended without an answer."""
    if code == STOPPED:
        return "stopped", ""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return "failed", f"its process ended with {how}; see {log}"


def outcomes(part: Part, answer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Run name to status and reason, by what a worker said."""
    if "failed" in answer:
        return left_behind(part, "failed", answer["failed"])
    return {name: tuple(each) for name, each in answer["outcomes"].items()}


def left_behind(part: Part, status: str, reason: str) -> dict[str, tuple[str, str]]:
    """What became of the runs of a part whose worker gave no account of them.

    Args:
      part: its runs; how each stands is read from its directory.
      status, reason: of those that the worker was at.
    """
    blamed = status, reason
    found: dict[str, tuple[str, str]] = {}
    for run in part.runs:
        now = standing(run.path)
        has_ended = now[0] in ENDED and now[0] != run.status
        left = blamed if now[0] == "running" else NOT_BEGUN
        found[run.path.name] = now if has_ended else left
    if status == "failed" and blamed not in found.values():
        # It was at none of them: whatever it was, they all have this trouble.
        rest = [name for name, each in found.items() if each == NOT_BEGUN]
        found |= dict.fromkeys(rest, blamed)
    return found


def standing(path: Path) -> tuple[str, str]:
    """Status and reason of a run as its directory has them."""
    try:
        manifest = folder.read_json(path / folder.MANIFEST) or {}
    except UserError as error:
        return "failed", str(error)
    return str(manifest.get("status", "new")), str(manifest.get("reason") or "")
