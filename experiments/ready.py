"""What a run would be refused for at its start, as far as it is seen at once."""

from pathlib import Path

from experiments import sinks, weights
from experiments.config import Config
from experiments.config.notation import check_notation
from experiments.sweep.begun import begun
from experiments.tasks.corpora import file


def check_words(config: Config) -> None:
    """Refuses notation that cannot be read, and sinks that are not installed.

    Raises:
      ConfigError: with one line for each fault.
    """
    check_notation(config)
    sinks.check(config)


def check_files(config: Config, folder: Path) -> None:
    """Refuses a text or weights that are not there.

    Args:
      config: of the run.
      folder: of the run; one that has begun needs no weights any more.

    Raises:
      ConfigError: it says which.
    """
    if config.data.path is not None:
        file.find(config.data, config.data.path)
    if begun(folder) is None:
        weights.source(config)
