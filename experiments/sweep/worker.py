"""A process that does jobs: one JSON line in, one JSON line out, until the input ends.

    python -m experiments.sweep.worker '{"cores": [0], "said": ["sweep", "s.yaml"]}'

Nothing of one job can harm another: a worker that is killed is started anew, and its
runs are reported as failed.
"""

import dataclasses
import json
import os
import sys
from typing import IO, Any

from experiments import process, signals


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
    for line in sys.stdin:
        answers.write(json.dumps(do(json.loads(line), stop)) + "\n")
        answers.flush()
        if stop.requested:
            return signals.STOPPED
    return 0


def do(request: dict[str, Any], stop: signals.Stop | None = None) -> dict[str, Any]:
    """Does one job; the same function serves a cluster.

    Args:
      request: `settings` of the process, and the fields of a `Job`.
      stop: None installs one.
    """
    stop = stop or signals.install()
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
