"""Performance studies: what a function costs, beside its rivals, in the same run.

import experiments.bench
experiments.bench.study(f, *args)                      # one function, from a notebook

`attn bench` measures the cases of `experiments.bench.cases` and its own.
"""

from typing import Any

__all__ = ["study"]


def __getattr__(name: str) -> Any:
    # Late: `attn bench --help` comes through here, and `study` imports JAX.
    if name == "study":
        from experiments.bench.studies import study

        return study
    raise AttributeError(f"module 'experiments.bench' has no attribute {name!r}")
