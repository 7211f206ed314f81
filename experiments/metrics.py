"""The metrics that a run will have, known before it begins."""

from experiments import tasks
from experiments.config import Config, did_you_mean
from experiments.config.grid import cells

# Those of every run, in its lines and its result.
ALWAYS = (
    "val/loss",
    "val/perplexity",
    "val/accuracy",
    "val/tokens",
    "train/loss",
    "tokens",
    "optim/grad_norm",
    "optim/lr",
    "best/val_loss",
    "best/step",
    "cost/params",
    "cost/flops_per_token",
)


def unknown(metric: str, config: Config) -> str:
    """Why a run of a config will not have a metric, in a line; empty if it will."""
    if metric in ALWAYS:  # at once: the others take JAX
        return ""
    known = metrics_of(config)
    if metric in known:
        return ""
    hint = did_you_mean(metric, known)
    return f"runs of {config.name} will have no metric `{metric[:60]}`. {hint}"


def metrics_of(config: Config) -> list[str]:
    """The names of all that a run will log as a number.

    A slice is among them though no validation example may fall into it.
    """
    from experiments.evaluate import Score  # late, like those below: they take JAX
    from experiments.grid import Scored, row
    from experiments.inspect.scores import SCORES

    task, grid = tasks.declared(config.data.kind), config.eval.grid
    exact = 0.0 if task.whole else None
    alike = Score(0.0, 0.0, 0.0, 0, dict.fromkeys(slices_of(config), (0.0, 0.0)), exact)
    found = [*ALWAYS, *alike.row(1.0 if config.data.kind == "text" else None)]
    if config.model.kind == "decoder":
        found.append("cost/state_bytes_per_token")
    if grid:
        made = (Scored(cell, alike) for cell in cells(config, grid) if cell.config)
        found += row(list(made))
    if config.log.maps_every:
        found += [f"heads/{name}" for name in SCORES]
    return list(dict.fromkeys(found))


def slices_of(config: Config) -> tuple[str, ...]:
    """What a task reports apart, by the shape of one example; computes nothing."""
    import jax  # late, as above
    import numpy as np

    task = tasks.declared(config.data.kind)
    if task.example is None:
        return ()
    example, knobs = task.example, task.options(config.data)
    drawn = jax.eval_shape(
        lambda seed: example(jax.random.key(seed), knobs=knobs), np.uint32(0)
    )
    return tuple(drawn.slices)
