"""Runs compared: means with intervals, and tests, per task and metric."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.compare.aside import costs, differences, lost, notes_on
from experiments.compare.comparison import Asked, Comparison, Result
from experiments.compare.members import Found, Member
from experiments.compare.statistics import adjusted, estimate, paired
from experiments.config.drafts import show_value
from experiments.errors import UserError
from experiments.goals import best_first

JUDGED = ("val/", "grid/")
SKIPPED = ("val/tokens", "val/perplexity")  # a count, and the loss in other words


def compare(found: Found, asked: Asked) -> Comparison:
    """Compares runs.

    Args:
      found: the runs, named.
      asked: how.

    Raises:
      UserError: they cannot be compared.
    """
    members = _comparable(found)
    variants = tuple(dict.fromkeys(each.variant for each in members))
    reference = asked.reference or variants[0]
    if reference not in variants:
        known = ", ".join(variants)
        raise UserError(f"attn compare: no variant `{reference}`; there are {known}.")
    _check_metric(members, asked.metric)
    chosen, tuned = _chosen(members, asked)
    tasks = tuple(dict.fromkeys(each.task for each in chosen))
    metrics = _metrics(chosen, asked.metric)
    results = [
        result
        for task in tasks
        for metric in metrics
        for result in _results(chosen, task, metric, variants, reference)
    ]
    return Comparison(
        title=asked.title or "Comparison",
        metric=asked.metric,
        goal=asked.direction,
        reference=reference,
        variants=variants,
        tasks=tasks,
        metrics=metrics,
        results=tuple(results),
        costs=tuple(costs(chosen, tasks, variants)),
        tuned=tuned,
        differences=differences(chosen, variants, reference),
        runs=tuple(each.record.name for each in chosen),
        notes=(*notes_on(found, asked, members, results), *lost(chosen, metrics)),
    )


def _comparable(found: Found) -> Sequence[Member]:
    """The runs, if every variant has a task in common with another one.

    Raises:
      UserError: they learn different things; it names two runs, and what each learns.
    """
    members, tasks = found.members, {}
    for each in members:
        tasks.setdefault(each.variant, {}).setdefault(each.task, each)
    for variant, mine in tasks.items():
        others = [of for name, of in tasks.items() if name != variant]
        if others and not any(mine.keys() & of.keys() for of in others):
            raise _different(*mine.values(), *others[0].values())
    first = next(iter(tasks.values()))
    if len(tasks) == 1 and len(first) > 1 and found.index is None:
        raise _different(*first.values())  # a study may have one variant
    return members


def _different(*members: Member) -> UserError:
    said = ", ".join(f"{each.record.name} learns {each.task}" for each in members)
    return UserError(f"attn compare: these cannot be compared: {said}.")


def _check_metric(members: Sequence[Member], metric: str) -> None:
    if any(each.record.last(metric) is None for each in members):
        lacking = next(x for x in members if x.record.last(metric) is None).record
        known = ", ".join(m for m in lacking.metrics if m.startswith(JUDGED))
        raise UserError(
            f"attn compare: {lacking.name} has no metric `{metric}`; it has {known}."
        )


def _metrics(members: Sequence[Member], first: str) -> tuple[str, ...]:
    """The validation metrics, the one that counts first."""
    found = {first: None}
    for each in members:
        names = (name for name in each.record.metrics if name.startswith(JUDGED))
        found |= dict.fromkeys(name for name in names if name not in SKIPPED)
    return tuple(found)


def _chosen(
    members: Sequence[Member], asked: Asked
) -> tuple[list[Member], dict[str, dict[str, Any]]]:
    """The runs at the best tuned values, and which values those are.

    Raises:
      UserError: a half of the seeds was to choose, and there is nothing to choose.
    """
    kept: list[Member] = []
    tuned: dict[str, dict[str, Any]] = {}
    groups: dict[tuple[str, str], list[Member]] = {}
    for each in members:
        groups.setdefault((each.task, each.variant), []).append(each)
    for (task, variant), group in groups.items():
        settings = {_words(each.tuned): dict(each.tuned) for each in group}
        seeds = sorted({each.seed for each in group})
        judging = set(seeds[: len(seeds) // 2]) if asked.half else set(seeds)
        if len(settings) > 1:
            if not judging:
                raise UserError(
                    f"attn compare: --half needs two seeds or more, {variant} has one."
                )
            best = _best(group, judging, asked)
            tuned[f"{task}/{variant}"] = settings[best]
            group = [each for each in group if _words(each.tuned) == best]
            if asked.half:
                group = [each for each in group if each.seed not in judging]
        kept += group
    if asked.half and not tuned:
        raise UserError(
            "attn compare: --half is about tuned values, and these runs have none; name"
            " their key, like --best-of optim.lr, or leave --half out."
        )
    return kept, tuned


def _best(group: Sequence[Member], seeds: set[int], asked: Asked) -> str:
    values: dict[str, list[float]] = {}
    for each in group:
        if each.seed in seeds:
            found = each.record.last(asked.metric)
            values.setdefault(_words(each.tuned), []).append(found or 0.0)
    # A value at which some seed did not get to its end has fewer runs, and loses.
    most = max(len(found) for found in values.values())
    means = {k: float(np.mean(v)) for k, v in values.items() if len(v) == most}
    return min(means, key=lambda key: best_first(means[key], asked.direction))


def _words(tuned: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={show_value(value)}" for key, value in tuned.items())


def _results(
    members: Sequence[Member],
    task: str,
    metric: str,
    variants: Sequence[str],
    reference: str,
) -> list[Result]:
    """All variants on one task by one metric, tested against the reference.

    A value that is not finite is left out: no mean and no test can have it.
    """
    values: dict[str, dict[int, float]] = {}
    for variant in variants:
        for each in members:
            found = each.record.last(metric)
            mine = (each.task, each.variant) == (task, variant)
            if mine and found is not None and math.isfinite(found):
                values.setdefault(variant, {})[each.seed] = found
    base = values.get(reference, {})
    tests = {v: None if v == reference else paired(values[v], base) for v in values}
    ps = adjusted([test.p if test else None for test in tests.values()])
    return [
        Result(
            task=task,
            variant=variant,
            metric=metric,
            estimate=estimate(list(values[variant].values())),
            seeds=values[variant],
            test=tests[variant],
            p_adjusted=p,
        )
        for variant, p in zip(values, ps, strict=True)
    ]
