"""A process that does jobs: one JSON line in, one JSON line out, until the input ends.

    python -m experiments.sweep.worker '{"cores": [0], "said": ["sweep", "s.yaml"]}'

Nothing of one job can harm another: a worker that is killed is started anew, and its
runs are reported as failed. Where the input ends in the middle of a job, whoever asked
has gone: the worker saves, and ends.
"""

import contextlib
import dataclasses
import json
import os
import queue
import sys
import threading
import traceback
from typing import IO, Any

from experiments import process, signals
from experiments.errors import in_words, is_users

GONE = "the sweep has gone"
Orders = queue.SimpleQueue[bytes | None]  # a line of JSON each; None is the end


def main(cores: list[int] | None, answers: IO[str]) -> int:
    """Serves jobs from standard input.

    Args:
      cores: the only ones to use; None means all. XLA starts a thread for each core
        that it may use, so this comes before JAX is imported.
      answers: where reports go.
    """
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    stop = signals.install()
    stop.say = lambda _: None  # whoever started this one speaks for all
    orders, busy = Orders(), threading.Event()
    threading.Thread(target=_listen, args=(orders, busy, stop), daemon=True).start()
    while (line := orders.get()) is not None:
        answer = json.dumps(do(json.loads(line), stop))
        busy.clear()
        with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
            answers.write(answer + "\n")
            answers.flush()
        if stop.requested:
            return signals.STOPPED
    return 0


def _listen(orders: Orders, busy: threading.Event, stop: signals.Stop) -> None:
    """Passes lines on; not by `sys.stdin`, whose lock a waiting thread would hold."""
    rest = b""
    while part := os.read(0, 1 << 16):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            busy.set()
            orders.put(line)
    if busy.is_set():
        stop.ask(GONE)
    orders.put(None)


def do(request: dict[str, Any], stop: signals.Stop | None = None) -> dict[str, Any]:
    """Does one job; the same function serves a cluster.

    Args:
      request: `settings` of the process, and the fields of a `Job`.
      stop: None installs one.

    Returns:
      What `job.work` or `job.probe` says; `failed` with the reason where it failed as a
      whole. What is a defect of ours stands on standard error, too.
    """
    try:
        return _do(request, stop or signals.install())
    except Exception as error:
        if not is_users(error):
            traceback.print_exc()
        return {"failed": in_words(error)}


def _do(request: dict[str, Any], stop: signals.Stop) -> dict[str, Any]:
    settings = process.Settings(**request.pop("settings"))
    if "jax" not in sys.modules:
        process.prepare(settings)
        process.start_jax(settings)
    # Here, not above: these import JAX, which `process.prepare` has to come before.
    from experiments.sweep.job import Job, probe, work

    made = {each.name: request[each.name] for each in dataclasses.fields(Job)}
    lists = ("configs", "variants", "keys")
    job = Job(**made | {each: tuple(made[each]) for each in lists})
    return probe(job) if request.get("probe") else work(job, stop).to_json()


if __name__ == "__main__":
    # What libraries print goes to standard error, so that the answers stay JSON.
    out, sys.stdout = sys.stdout, sys.stderr
    given = json.loads(sys.argv[1])
    sys.argv[1:] = given["said"]  # manifests say what the user did
    sys.exit(main(given["cores"], out))
