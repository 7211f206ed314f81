"""Where text comes from.

A new source is a file here, named as in a config, with one function

    read(config) -> Corpus

and a row in `experiments.config.names.SOURCES`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from experiments.config.names import SOURCES

if TYPE_CHECKING:
    from experiments.config.schema import Data
    from experiments.tasks.corpora.corpus import Corpus

__all__ = ["SOURCES", "read"]


def read(config: Data) -> Corpus:
    """The text that a config names; `data.path` overrules `data.source`.

    Raises:
      ConfigError: it cannot be had, with the remedy.
    """
    source = "file" if config.path else config.source
    return import_module(f"{__name__}.{source}").read(config)
