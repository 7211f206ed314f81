"""The points of a grid or a study, before they are checked: what each one changes."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.config.errors import visible
from experiments.config.origin import Path
from experiments.config.sweeps import Sweep

Change = tuple[Any, Path]  # a value, and the path where it was written


@dataclass(frozen=True)
class Draft:
    """A point before it is checked: dotted keys and what they are set to."""

    changes: Mapping[str, Change]
    variant: str = ""
    task: str = ""
    tuned: tuple[tuple[str, Any], ...] = ()


def drafts(plan: Any) -> Iterator[Draft]:
    """The points of a grid, or of a study: variants x tasks x tuned values x seeds."""
    if isinstance(plan, Sweep):
        yield from grid(plan)
        return
    for task, there in (plan.tasks or {"": {}}).items():
        for variant, changed in (plan.variants or {"": {}}).items():
            fixed = {k: (v, ("study", "tasks", task, k)) for k, v in there.items()}
            at = ("study", "variants", variant)
            fixed |= {key: (value, (*at, key)) for key, value in changed.items()}
            for chosen in choices("study", plan.axes):
                tuned = tuple((key, value) for key, (value, _) in chosen.items())
                for seeded in seeds("study", plan.seeds, plan.first_seed):
                    yield Draft({**fixed, **chosen, **seeded}, variant, task, tuned)


def grid(plan: Sweep) -> Iterator[Draft]:
    """Every combination of the axes, with every seed."""
    for chosen in choices("sweep", plan.axes):
        for seeded in seeds("sweep", plan.seeds, 0):
            free = {k: v for k, (v, _) in chosen.items() if k != "seed"}
            yield Draft({**chosen, **seeded}, words(chosen), tuned=tuple(free.items()))


def choices(kind: str, axes: Mapping[str, Any]) -> Iterator[dict[str, Change]]:
    """Every combination of one value from each list."""
    columns = [
        [(value, (kind, "axes", key, i)) for i, value in enumerate(values)]
        for key, values in axes.items()
    ]
    for row in itertools.product(*columns):
        yield dict(zip(axes, row, strict=True))


def seeds(kind: str, count: int | None, first: int) -> Iterator[dict[str, Change]]:
    """One change for each seed; none at all leaves the config's own."""
    if count is None:
        yield {}
        return
    for seed in range(first, first + count):
        yield {"seed": (seed, (kind, "seeds"))}


def words(changes: Mapping[str, Change]) -> str:
    """`model.mask=causal, optim.lr=0.001`, without the seed."""
    said = [f"{key}={show_value(v)}" for key, (v, _) in changes.items()]
    return ", ".join(each for each in said if not each.startswith("seed="))


def show_value(value: Any) -> str:
    """A value in a variant's name, as one would write it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(show_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else visible(str(value))
