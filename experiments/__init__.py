"""The instrument: configs, tasks, training, comparison.

import experiments
frame = experiments.load_runs("recall")                # one row a run
curves = experiments.load_runs("recall", curves=True)  # one row a logged value
"""

from typing import Any

__all__ = ["load_runs"]


def __getattr__(name: str) -> Any:
    # Late: every `import experiments.x` comes through here, `attn --help` too.
    if name == "load_runs":
        from experiments.frames import load_runs

        return load_runs
    raise AttributeError(f"module 'experiments' has no attribute {name!r}")
