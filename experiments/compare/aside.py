"""What stands beside the numbers: costs, differences of configs, notes."""

import math
from collections.abc import Sequence

import numpy as np

from experiments.compare.comparison import Asked, Cost, Result
from experiments.compare.members import Found, Member, unsaid
from experiments.config.drafts import show_value

MOST_LOST = 5  # values that are named
COSTS = {
    "parameters": "cost/params",
    "FLOPs per token": "cost/flops_per_token",
    "state bytes per token": "cost/state_bytes_per_token",
}


def costs(
    members: Sequence[Member], tasks: Sequence[str], variants: Sequence[str]
) -> list[Cost]:
    found = []
    for task in tasks:
        for variant in variants:
            group = [x for x in members if (x.task, x.variant) == (task, variant)]
            if group:
                found.append(_cost(task, variant, group))
    return found


def _cost(task: str, variant: str, group: Sequence[Member]) -> Cost:
    first = group[0].record
    declared = [first.result.get(key) for key in COSTS.values()]
    params, flops, state = (x if isinstance(x, int | float) else None for x in declared)
    steps = [each.record.perf("step_ms")[1] for each in group]
    times = np.concatenate([x[np.isfinite(x)] for x in steps])
    peaks = np.concatenate([each.record.perf("peak_bytes")[1] for each in group])
    lanes = first.manifest.get("lanes", 1)
    return Cost(
        task=task,
        variant=variant,
        params=params or first.manifest.get("parameters"),
        flops_per_token=flops,
        state_bytes_per_token=state,
        step_ms=float(np.median(times)) if times.size else None,
        peak_bytes=float(peaks.max()) if peaks.size else None,
        lanes=lanes if isinstance(lanes, int) else 1,
    )


def differences(
    members: Sequence[Member], variants: Sequence[str], reference: str
) -> dict[str, tuple[str, ...]]:
    """In which values each variant's first run differs from the reference's."""
    found, hidden = {}, unsaid()
    for variant in variants:
        pair = _same_task(members, variant, reference)
        if variant != reference and pair is not None:
            mine, base = (each.record.flat for each in pair)
            found[variant] = tuple(
                f"{key}: {show_value(base.get(key))} -> {show_value(mine.get(key))}"
                for key in dict.fromkeys([*base, *mine])
                if base.get(key) != mine.get(key) and key not in hidden
            )
    return found


def _same_task(
    members: Sequence[Member], variant: str, reference: str
) -> tuple[Member, Member] | None:
    bases = {x.task: x for x in reversed(members) if x.variant == reference}
    for each in members:
        if each.variant == variant and each.task in bases:
            return each, bases[each.task]
    return None


def notes_on(
    found: Found,
    asked: Asked,
    members: Sequence[Member],
    results: Sequence[Result],
) -> list[str]:
    """What was assumed, chosen and left out."""
    notes = [
        "Means over seeds, with 95% t intervals. Tests are paired t tests over the"
        " seeds that both variants have; with six pairs or more Wilcoxon's"
        " signed-rank test stands beside it."
    ]
    count = len({each.variant for each in members}) - 1
    if count > 1:
        notes.append(
            f"{count} variants are tested against one reference: p adj. controls the"
            " false discovery rate (Benjamini-Hochberg) within a task and metric."
        )
    notes += _selection(members, asked)
    notes += _judged(members)
    few = [x for x in results if x.metric == asked.metric and x.estimate.n < 2]
    if few:
        names = ", ".join(dict.fromkeys(x.variant for x in few))
        notes.append(f"Fewer than two seeds: {names}. No interval, no test.")
    for each in found.damaged:
        notes.append(f"Left out, damaged: {each.reason}")
    for name, status in found.left_out.items():
        notes.append(f"Left out, not done: {name} is {status}.")
    return notes


def lost(members: Sequence[Member], metrics: Sequence[str]) -> list[str]:
    """Values that are not finite, and so in no mean and in no test."""
    found = [
        f"{metric} of {each.record.name}"
        for metric in metrics
        for each in members
        if (value := each.record.last(metric)) is not None and not math.isfinite(value)
    ]
    more = f" and {len(found) - MOST_LOST} more" if len(found) > MOST_LOST else ""
    said = ", ".join(found[:MOST_LOST])
    return [f"Left out, not finite: {said}{more}."] if found else []


def _judged(members: Sequence[Member]) -> list[str]:
    """Tasks whose runs were not evaluated on the same number of targets."""
    counts: dict[str, set[float]] = {}
    for each in members:
        found = each.record.last("val/tokens")
        counts.setdefault(each.task, set()).update(() if found is None else (found,))
    return [
        f"On {task} the runs were evaluated on {min(found):,.0f} to {max(found):,.0f}"
        " targets; eval.batches counts batches of data.batch, null takes all there are."
        for task, found in counts.items()
        if len(found) > 1
    ]


def _selection(members: Sequence[Member], asked: Asked) -> list[str]:
    """Which values were tuned, and what that does to the numbers."""
    keys = dict.fromkeys(key for each in members for key in each.tuned)
    if not any(len({str(x.tuned[k]) for x in members}) > 1 for k in keys):
        return []
    said = f"Each variant is at its best {', '.join(keys)} by mean {asked.metric}"
    if asked.half:
        return [f"{said} over one half of the seeds; numbers are of the other half."]
    return [
        f"{said} over the same seeds and the same validation data that are reported,"
        " which flatters all of them a little; --half chooses by one half of the seeds"
        " and reports the other."
    ]
