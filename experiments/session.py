"""One session of work on a run: settings of the process, then data, then training.

The order matters: signals are heard from the start, the lock comes before anything is
computed, and the settings of the process come before JAX is imported.
"""

import sys
from pathlib import Path

from experiments import process, signals
from experiments.config import Config
from experiments.run import Run


def settings(config: Config) -> process.Settings:
    """What a config asks of the process."""
    return process.Settings(
        allocator=config.process.allocator,
        simulated_devices=config.process.simulated_devices,
        xla_flags=config.process.xla_flags or "",
        platform=config.platform,
    )


def work(
    config: Config,
    root: str | Path,
    *,
    at: Path | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> int:
    """Trains what a config says, from the start or from the last checkpoint.

    Args:
      config: the experiment.
      root: the folder of all runs.
      at: the run directory, if it is not where the config's name says.
      fresh: removes an earlier run of this config first.
      quiet: prints the end only.

    Returns:
      The exit code.
    """
    stop = signals.install()
    with Run.begin(config, root, at=at, fresh=fresh) as run:
        if run.status == "done" and run.result is not None:
            print(f"{run.path} is done: {told(run.result)}. Start over with --fresh.")
            return 0
        made = process.prepare(settings(config))
        process.start_jax(settings(config))
        return _train(config, run, made, stop, quiet)


def _train(
    config: Config, run: Run, made: dict[str, object], stop: signals.Stop, quiet: bool
) -> int:
    # Here, not above: these import JAX, which `process.prepare` has to come before.
    from experiments.data import task_of
    from experiments.train import train

    if run.status != "new" and not quiet:
        print(f"{run.path} continues.", file=sys.stderr)
    task = task_of(run, keep=True)
    run.start_session(process=made, data=task.describe())
    return train(config, run, task, stop=stop, quiet=quiet)


def told(result: dict[str, object]) -> str:
    """The numbers of a result in a line."""
    numbers = [
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in result.items()
        if isinstance(value, (int, float, str))
    ]
    return ", ".join(numbers[:6])
