"""The answer in words: who is best, whether chance may explain it, what it costs."""

import math
from collections.abc import Sequence

from experiments.goals import is_share
from experiments.report.costs import Cost, cost_of, known
from experiments.report.estimates import Estimate
from experiments.report.html import Html, join, tag
from experiments.report.metrics import Aim, figure, name_of, short
from experiments.report.view import measure
from experiments.variants import Variant

MARGIN = 1.02  # counted costs closer than this are called equal
NOISE = 1.2  # and measured times: a machine's load moves them as much
Words = list[Html | str]


def headline(ranked: Sequence[Variant], aim: Aim) -> Words:
    """The best variant with its interval, or those that share the best figure."""
    best, metric = ranked[0], aim.metric
    found = measure(best, metric)
    if not best.done:
        return [_strong(best), " has no run that is done."]
    if not found.values:
        return [_strong(best), f" has no {name_of(metric)}."]
    said = f"{figure(metric, found.mean)} ({interval(found, metric)})"
    if len(ranked) == 1:
        return [_strong(best), f" reaches {_article(metric)} of {said}."]
    equal = leaders(ranked, metric)
    if len(equal) > 1:
        names = _names(equal, strong=True)
        return [names, f" share the {aim.most} {name_of(metric)}, {said}."]
    return [_strong(best), f" has the {aim.most} {name_of(metric)}, {said}."]


def leaders(ranked: Sequence[Variant], metric: str) -> list[Variant]:
    """Those whose mean is written like the best one's."""
    said = figure(metric, measure(ranked[0], metric).mean)
    return [x for x in ranked if figure(metric, measure(x, metric).mean) == said]


def beside(ranked: Sequence[Variant], aim: Aim) -> Words:
    """The runner-up, whether the runs tell the two apart, and what each costs."""
    if len(ranked) == 1:
        return [f"{_steps(ranked[0])}. {_costs(ranked[0])}"]
    metric = aim.metric
    equal = leaders(ranked, metric)
    rest = ranked[len(equal) :]
    if not rest:
        return _dearer(equal[0], equal[1])
    first, other = measure(equal[0], metric), measure(rest[0], metric)
    if not other.values:
        return [tag("bdi", rest[0].label), " has no value to compare with."]
    value = f"{figure(metric, other.mean)} ({interval(other, metric)})"
    said: Words = ["Next is ", tag("bdi", rest[0].label), f" with {value};"]
    said += [f" {_apart(first, other)} ", *_dearer(equal[0], rest[0])]
    return [*said, *cheapest(ranked, aim)]


def cheapest(ranked: Sequence[Variant], aim: Aim) -> Words:
    """What the variant that costs least saves, and what it loses."""
    best = ranked[0]
    counted = [cost for cost in known(tuple(ranked)) if not cost.is_clock]
    shares = {
        each: {c: x for c in counted if (x := _ratio(each, best, c)) is not None}
        for each in ranked[2:]
    }
    saving = {k: min(found.values()) for k, found in shares.items() if found}
    least = min(saving, key=lambda each: saving[each], default=None)
    if least is None or saving[least] * MARGIN > 1:
        return []
    own = [f"{x:.2g} × the {c.label}" for c, x in shares[least].items()]
    means = (measure(each, aim.metric).mean for each in (least, best))
    loss = _behind(aim.metric, aim.behind(*means))
    name = tag("bdi", least.label)
    return [" The cheapest is ", name, f", with {_listed(own)}, {loss}."]


def interval(found: Estimate, metric: str) -> str:
    """Its ends and what it rests on."""
    count = found.seeds
    if found.low is None:
        return "one seed, so no interval" if count == 1 else f"{count} runs"
    low, high = figure(metric, found.low), figure(metric, found.high)
    return f"95% interval {low} to {high}, {count} seeds"


def _behind(metric: str, behind: float) -> str:
    if not math.isfinite(behind):
        return "without a value"
    if is_share(metric):
        return f"{100 * behind:.1f} points behind"
    return f"{figure(metric, behind)} behind"


def _apart(first: Estimate, other: Estimate) -> str:
    if first.low is None or other.low is None:
        return "with fewer than two seeds each, chance cannot be told from effect."
    assert first.high is not None
    assert other.high is not None
    if first.low <= other.high and other.low <= first.high:
        return "their intervals overlap, so these runs do not settle which is better."
    return "their intervals do not meet."


def _dearer(best: Variant, second: Variant) -> Words:
    """What the best costs in units of the runner-up."""
    said = [
        f"{ratio:.2g} × the {cost.label}"
        for cost in known((best, second))
        if (ratio := _ratio(best, second, cost)) is not None
    ]
    if not said:
        names = _names([best, second])
        return [names, f" cost the same within {MARGIN - 1:.0%}."]
    return [tag("bdi", best.label), f" takes {_listed(said)}."]


def _ratio(one: Variant, two: Variant, cost: Cost) -> float | None:
    """Of two costs; None where they are equal or not known."""
    above, below = cost_of(one, cost), cost_of(two, cost)
    margin = NOISE if cost.is_clock else MARGIN
    if not above or not below or 1 / margin < above / below < margin:
        return None
    return above / below


def _costs(variant: Variant) -> str:
    said = [
        f"{short(value)} {cost.label}"
        for cost in known((variant,))
        if (value := cost_of(variant, cost)) is not None
    ]
    return f"It has {_listed(said)}." if said else ""


def _listed(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _names(variants: Sequence[Variant], *, strong: bool = False) -> Html:
    made = [_strong(each) if strong else tag("bdi", each.label) for each in variants]
    *first, last = made
    commas = [part for each in first[1:] for part in (", ", each)]
    return join(*first[:1], *commas, " and ", last)


def _strong(variant: Variant) -> Html:
    return tag("strong", tag("bdi", variant.label))


def _steps(variant: Variant) -> str:
    steps = sorted({run.step for run in variant.done or variant.runs})
    said = " to ".join(f"{each:,}" for each in dict.fromkeys((steps[0], steps[-1])))
    return f"That is after {said} steps"


def _article(metric: str) -> str:
    name = name_of(metric)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
