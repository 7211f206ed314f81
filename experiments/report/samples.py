"""What the models wrote: the last sample of one run of each variant."""

from experiments.records import RunRecord
from experiments.report.html import Html, join, tag
from experiments.report.view import View
from experiments.variants import Variant

LONGEST = 1200  # characters of one sample
MOST = 40  # variants; more would be scrolled past


def section(view: View) -> Html | None:
    """Texts beside each other; None if nothing was sampled."""
    found = [(variant, run) for variant in view.variants if (run := _speaker(variant))]
    if not found:
        return None
    cards = [_card(view, variant, run) for variant, run in found[:MOST]]
    left = len(found) - MOST
    more = tag("p", f"{left} more variants have samples.") if left > 0 else None
    return join(tag("div", *cards, class_="samples"), more)


def _speaker(variant: Variant) -> RunRecord | None:
    return next((run for run in variant.runs if run.samples), None)


def _card(view: View, variant: Variant, run: RunRecord) -> Html:
    step, text = max(run.samples.items())
    cut = text if len(text) <= LONGEST else text[:LONGEST] + " …"
    swatch = tag("span", class_=f"swatch {view.colour(variant)}", aria_hidden="true")
    said = f", step {step:,}, seed {run.config.seed}"
    return tag(
        "figure",
        tag("figcaption", swatch, tag("bdi", variant.label), said),
        tag("pre", tag("bdi", cut.strip("\n"))),
    )
