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

from experiments.manifest import cores
from experiments.session import settings
from experiments.signals import STOPPED
from experiments.sweep.pace import Way
from experiments.sweep.plan import Part

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

    def ask(self, wanted: Request) -> Answer:
        """Has a request done; None if the process ended without an answer."""
        if self.process is None or self.settings != wanted["settings"]:
            self.close()
            self._start()
            self.settings = wanted["settings"]  # JAX takes them once
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
            self.code = self.close()
            return None
        return json.loads(line)

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
        """Sends the process a signal, if there is one."""
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


def ended(code: int) -> tuple[str, str]:
    """Status and reason of runs whose worker ended without an answer."""
    if code == STOPPED:
        return "stopped", ""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return "failed", f"its process ended with {how}"
