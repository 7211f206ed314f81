"""Where metrics go besides the run directory: one file and one row a sink.

A sink shows what metrics.jsonl holds and never changes it. When work on a run begins it
is written anew from the lines that the checkpoint vouches for, so that no point is
there twice after a resume.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from experiments.config import Config, ConfigError
from experiments.run import Run
from experiments.sinks import tensorboard, wandb


class Sink(Protocol):
    """Something that takes numbers."""

    def write(self, step: int, row: Mapping[str, float]) -> None:
        """Takes the metrics of a step."""
        ...

    def close(self) -> None:
        """Writes what is still held back."""
        ...


class Kind(NamedTuple):
    """A way to open a sink, and the package that it needs."""

    open: Callable[[Run], Sink]
    package: str


SINKS = {
    "tensorboard": Kind(tensorboard.Sink, "tensorboardX"),
    "wandb": Kind(wandb.Sink, "wandb"),
}


def check(config: Config) -> None:
    """Refuses a sink whose package is not installed, before anything is computed.

    Raises:
      ConfigError: it says what to install.
    """
    for name in config.log.sinks:
        package = SINKS[name].package
        if importlib.util.find_spec(package) is None:
            raise _missing(config, name, package)


def _missing(config: Config, name: str, package: str) -> ConfigError:
    return config.log.fault(
        "sinks",
        f"{name} needs {package}, which is not installed: pip install 'attn[{name}]',"
        f" or pip install -e '.[{name}]' in a checkout.",
    )


@contextmanager
def opened(
    run: Run, names: Sequence[str], say: Callable[[str], None]
) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """What to call with each step's metrics; a sink that fails is left out and named.

    Args:
      run: its lines so far are written first.
      names: of SINKS.
      say: told of a sink that fails; the run goes on without it.
    """
    live: dict[str, Sink] = {}

    def attempt(name: str, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:  # a stranger's library must not end a run
            live.pop(name, None)
            say(f"log.sinks: {name} stopped ({type(error).__name__}: {error}).")

    def write(step: int, row: Mapping[str, float]) -> None:
        for name, sink in list(live.items()):
            attempt(name, lambda sink=sink: sink.write(step, _numbers(row)))

    for name in names:
        attempt(name, lambda name=name: live.update({name: SINKS[name].open(run)}))
    try:
        for row in run.metrics() if live else ():
            write(row["step"], row)
        yield write
    finally:
        for name, sink in list(live.items()):
            attempt(name, sink.close)


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        if name != "step" and type(value) in (int, float)
    }
