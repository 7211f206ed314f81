"""The same plan on a cluster: one job a program, through submitit (extra `slurm`)."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.sweep.launch import request
from experiments.sweep.plan import Plan
from experiments.sweep.work import Done
from experiments.sweep.worker import do

FOLDER = "submitit"  # of scripts, pickles and what jobs print, in the sweep's folder


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
        return [
            executor.submit(do, request(part, plan.root, group, plan.way, again=again))
            for part in plan.parts
        ]
    except (RuntimeError, NameError, AssertionError, OSError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"attn sweep: {cluster} cannot be used: {text}.") from None


def collect(plan: Plan, jobs: Sequence[Any]) -> Done:
    """Waits for jobs and says what became of their runs."""
    done = Done()
    for part, job in zip(plan.parts, jobs, strict=True):
        error = job.exception()
        if error is None:
            outcomes = job.result()["outcomes"]
            done.outcomes |= {name: tuple(each) for name, each in outcomes.items()}
            continue
        reason = " ".join(str(error).split())[-200:]
        for run in part.runs:
            done.outcomes[run.path.name] = ("failed", reason)
    return done


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
