"""One session of work on a run: settings of the process, then data, then training.

The order matters: signals are heard from the start, the lock comes before anything is
computed, and the settings of the process come before JAX is imported.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from experiments import process, signals
from experiments.config import Config
from experiments.errors import is_users
from experiments.run import Run


def settings(config: Config) -> process.Settings:
    """What a config asks of the process."""
    return process.Settings(
        allocator=config.process.allocator,
        simulated_devices=config.process.simulated_devices,
        xla_flags=config.process.xla_flags or "",
        platform=config.platform,
        compilation_cache=config.process.compilation_cache,
    )


def work(
    config: Config,
    root: str | Path,
    *,
    at: Path | None = None,
    fresh: bool = False,
    quiet: bool = False,
    profile: int | None = None,
) -> int:
    """Trains what a config says, from the start or from the last checkpoint.

    Args:
      config: the experiment.
      root: the folder of all runs.
      at: the run directory, if it is not where the config's name says.
      fresh: starts over; an earlier run of this config goes once this one has begun.
      quiet: prints the end only.
      profile: of how many steps to make one; None makes none.

    Returns:
      The exit code.
    """
    stop = signals.install()
    with Run.begin(config, root, at=at, fresh=fresh) as run:
        if run.status == "done" and run.result is not None:
            remedy = "Start over with `attn train --fresh`."  # `resume` has no such
            print(f"{run.path} is done: {told(run.result)}. {remedy}")
            return 0
        was_new = run.status == "new"
        try:
            return _train(run, stop, quiet, profile)
        except Exception as error:
            if run.is_provisional and not quiet:
                print(f"{run.path} stays as it was before --fresh.", file=sys.stderr)
            if is_users(error) and was_new and run.is_untouched:
                run.discard()
                raise
            with contextlib.suppress(OSError):  # the first error is the one to hear of
                run.set_status("failed", reason=f"{type(error).__name__}: {error}")
            raise


def _train(run: Run, stop: signals.Stop, quiet: bool, profile: int | None) -> int:
    config = run.config
    process.prepare(settings(config))
    process.start_jax(settings(config))
    # Here, not above: these import JAX, which `process.prepare` has to come before.
    from experiments import cache
    from experiments.answer import check_prompt
    from experiments.data import task_of
    from experiments.ready import check_words
    from experiments.sweep.begun import Begun, begun
    from experiments.train import train

    known = begun(run.path) or Begun()
    check_words(config)
    if run.status != "new" and not quiet:
        print(f"{run.path} continues{otherwise(run, known.lanes)}.", file=sys.stderr)
    task = task_of(run, keep=True)
    if config.sample.every is not None:
        # Now, not when the first sample is due, which can be hours from here.
        check_prompt(config, task.vocabulary, None)
    moved = {"moved": run.moved} if run.moved else {}
    run.start_session(process=process.made(), data=task.describe(), **moved)
    shown = {"quiet": quiet, "profile": profile}
    code = train(config, run, task, stop=stop, keys=known.keys, **shown)
    run.amend_session(compilation_cache=cache.counts())
    return code


def otherwise(run: Run, lanes: int) -> str:
    """How a run goes on if not as it began, and what that means; nothing otherwise."""
    found = [f"elsewhere ({'; '.join(run.moved)})"] if run.moved else []
    found += [f"alone (it was one of {lanes} side by side)"] if lanes > 1 else []
    said = ", ".join(found)
    return f" {said}: the same up to rounding, no longer bit for bit" if found else ""


def told(result: dict[str, Any]) -> str:
    """The numbers of a result that a reader looks for, in a line."""
    said = f"{result.get('step', 0):,} steps"
    if isinstance(loss := result.get("val/loss"), float):
        said += f", validation loss {loss:.4f}"
    if isinstance(best := result.get("best/val_loss"), float):
        said += f", best {best:.4f} at step {result.get('best/step', 0):,}"
    return said
