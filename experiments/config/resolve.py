"""What follows from a config: steps out of tokens, widths out of heads."""

import math
from dataclasses import dataclass
from typing import Any

from experiments.config.durations import Duration
from experiments.config.schema import Config


@dataclass(frozen=True)
class Derived:
    """The numbers behind a config; steps are optimizer steps.

    Args:
      tokens_per_step: batch times context.
      steps: length of the run.
      tokens: tokens seen in the whole run.
      warmup: steps until the full learning rate.
      decay: steps of the final decay (wsd), 0 for other schedules.
      eval_every: steps between evaluations.
      sample_every: steps between samples, None for no samples.
      checkpoint_every: steps between checkpoints.
      log_every: steps between log lines.
      maps_every: steps between attention maps, None for none.
      budget: seconds after which it saves and stops, None for no limit.
      microbatch: examples computed at once.
      head_width: width of a head.
      key_heads: key and value heads.
      hidden: width inside the MLP.
      source: which text, after `data.path` has had its say.
      grid: how many difficulties are evaluated at the end.
    """

    tokens_per_step: int
    steps: int
    tokens: int
    warmup: int
    decay: int
    eval_every: int
    sample_every: int | None
    checkpoint_every: int
    log_every: int
    maps_every: int | None
    budget: float | None
    microbatch: int
    head_width: int
    key_heads: int
    hidden: int
    source: str
    grid: int


def cell_count(axes: dict[str, Any]) -> int:
    """Cells of a grid, 0 without axes; an axis that is no list is refused elsewhere."""
    lists = [values for values in axes.values() if isinstance(values, list)]
    return math.prod(map(len, lists)) if lists else 0


def resolve(config: Config) -> Derived:
    """The numbers that follow from a config that passed `check`."""
    model, data, schedule = config.model, config.data, config.optim.schedule
    per_step = data.batch * data.length
    steps = config.train.duration.steps(per_step)

    def count(duration: Duration | None) -> int | None:
        return None if duration is None else max(1, duration.steps(per_step, steps))

    decay = schedule.decay or Duration(20, "%")
    budget = config.train.budget
    return Derived(
        tokens_per_step=per_step,
        steps=steps,
        tokens=steps * per_step,
        warmup=schedule.warmup.steps(per_step, steps),
        decay=count(decay) if schedule.kind == "wsd" else 0,
        eval_every=count(config.eval.every),
        sample_every=count(config.sample.every),
        checkpoint_every=count(config.checkpoint.every),
        log_every=count(config.log.every),
        maps_every=count(config.log.maps_every),
        budget=None if budget is None else budget.seconds,
        microbatch=data.batch // config.optim.accumulate,
        head_width=model.head_width or model.width // model.heads,
        key_heads=model.key_heads or model.heads,
        hidden=model.hidden or 4 * model.width,
        source="file" if data.path else data.source,
        grid=cell_count(config.eval.grid),
    )
