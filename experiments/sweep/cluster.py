"""The same plan on a cluster: one job a program, through submitit (extra `slurm`)."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import storage
from experiments.errors import UserError
from experiments.folder import LOCK, read_json
from experiments.sweep.launch import outcomes, request
from experiments.sweep.plan import Part, Plan
from experiments.sweep.work import Done
from experiments.sweep.worker import do

FOLDER = "submitit"  # of scripts, pickles and what jobs print, in the sweep's folder
JOBS = "jobs.json"  # run name to the number of the job that was submitted for it


def options_of(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` words as submitit's parameters, such as `slurm_partition=gpu`.

    Raises:
      UserError: a word has no `=`.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise UserError(
                f"attn sweep: --with expected key=value, such as timeout_min=60, got"
                f" {text[:60]!a}."
            )
        found[key] = int(value) if value.isdigit() else value
    return found


def submit(
    plan: Plan,
    group: str,
    folder: Path,
    *,
    cluster: str,
    options: Mapping[str, Any],
    again: bool = False,
) -> list[Any]:
    """Hands every part of a plan to a cluster.

    Args:
      plan: what is left to do.
      group: the sweep's name, for the manifests.
      folder: of the sweep.
      cluster: slurm, or local for processes of this machine.
      options: parameters of submitit's executor.
      again: does diverged runs once more.

    Returns:
      submitit's jobs, in the order of the parts.

    Raises:
      UserError: submitit is missing, or the cluster refuses.
    """
    submitit = _submitit()
    try:
        executor = submitit.AutoExecutor(folder=folder / FOLDER, cluster=cluster)
        executor.update_parameters(**options)
        jobs = []
        for part in plan.parts:
            wanted = request(part, plan.root, group, plan.way, again=again)
            jobs.append(executor.submit(do, wanted))
            note(part, str(jobs[-1].job_id), folder)
        return jobs
    except (RuntimeError, NameError, AssertionError, OSError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"attn sweep: {cluster} cannot be used: {text}.") from None


def note(part: Part, number: str, folder: Path) -> None:
    """Keeps which job has which run, so that none is submitted twice."""
    known = read_json(folder / JOBS) or {}
    known |= {run.path.name: number for run in part.runs}
    storage.write_atomic(folder / JOBS, storage.to_json(known, indent=1) + "\n")


def taken(plan: Plan, folder: Path, cluster: str) -> dict[str, str]:
    """The runs that somebody has already, and who: a process, or a job that waits.

    Args:
      plan: what is left to do.
      folder: of the sweep.
      cluster: slurm is asked about its jobs; those of this machine hold their locks.

    Raises:
      UserError: submitit is missing, or the list of jobs is damaged.
    """
    names = [run.path.name for run in plan.todo]
    locked = {r.path.name for r in plan.todo if storage.is_locked(r.path / LOCK)}
    found = {name: "another process" for name in names if name in locked}
    known = (read_json(folder / JOBS) or {}) if cluster == "slurm" else {}
    mine = {name: str(known[name]) for name in names if name in known}
    waiting = {number for number in {*mine.values()} if _waits(number, folder)}
    return {n: f"job {x}" for n, x in mine.items() if x in waiting} | found


def _waits(number: str, folder: Path) -> bool:
    """Whether slurm still has a job; one that it does not know yet it may have."""
    return not _submitit().SlurmJob(folder / FOLDER, number).done()


def collect(plan: Plan, jobs: Sequence[Any]) -> Done:
    """Waits for jobs and says what became of their runs."""
    done = Done()
    for part, job in zip(plan.parts, jobs, strict=True):
        error = job.exception()
        answer = job.result() if error is None else {"failed": _end_of(error)}
        done.outcomes |= outcomes(part, answer)
    return done


def _end_of(error: BaseException) -> str:
    """The last words of an error, which has a whole traceback before them."""
    return " ".join(str(error).split())[-200:] or type(error).__name__


def _submitit() -> Any:
    """The library.

    Raises:
      UserError: it is not installed.
    """
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise UserError(
            "attn sweep: submitit is not installed; install the extra `slurm`, or leave"
            " --on out."
        ) from None
