"""Attention maps that were logged while training: every head, small."""

import base64
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from experiments.errors import UserError
from experiments.inspect.view import Head
from experiments.maps import Maps, read_maps
from experiments.records import RunRecord
from experiments.report.html import Html, join, tag
from experiments.report.view import View
from experiments.variants import Variant

MOST_VARIANTS = 8
MOST_TOKENS = 48  # of a side: more are smaller than a pixel here
MOST_HEADS = 64  # of a run; `attn inspect` has them all
FULL = 255


class Seen(NamedTuple):
    """The maps of one run of a variant."""

    variant: Variant
    run: RunRecord
    maps: Maps


def section(view: View) -> Html | None:
    """A grid of heads for each variant that has maps; None if none has."""
    found = seen(view)
    if not found:
        return None
    start, parts = 0, []
    for each in found:
        heads = list(_heads(each.maps))
        parts.append(_card(view, each, heads, start))
        start += len(heads)
    lead = (
        "Each square is a head: down the tokens that ask, across those that are asked,"
        " darker for more weight. Larger, and with the tokens: attn inspect."
    )
    return join(tag("p", lead), *parts)


def payload(view: View) -> list[dict[str, Any]]:
    """The weights of the heads in the page's order, a byte each."""
    return [_map(head) for each in seen(view) for head in _heads(each.maps)]


@lru_cache(maxsize=1)
def seen(view: View) -> tuple[Seen, ...]:
    """The last maps of the first seed of each variant that has some."""
    found = (_seen(variant) for variant in view.variants)
    return tuple(each for each in found if each is not None)[:MOST_VARIANTS]


def _seen(variant: Variant) -> Seen | None:
    for run in variant.runs:
        try:
            maps = read_maps(run.path)
        except UserError:  # damaged: the run is fine without it
            continue
        if maps is not None:
            return Seen(variant, run, maps)
    return None


def _heads(maps: Maps) -> Iterator[Head]:
    heads = [head for layer in maps.layers for head in layer.heads]
    yield from heads[:MOST_HEADS]


def _card(view: View, each: Seen, heads: list[Head], start: int) -> Html:
    swatch = tag(
        "span", class_=f"swatch {view.colour(each.variant)}", aria_hidden="true"
    )
    said = f", step {each.maps.step:,}, seed {each.run.config.seed}"
    title = tag("p", swatch, tag("bdi", each.variant.label), said)
    figures = [_figure(head, start + place) for place, head in enumerate(heads)]
    return join(title, tag("div", *figures, class_="heads"))


def _figure(head: Head, place: int) -> Html:
    name = f"{head.name} {head.title}".strip()
    label = f"attention of head {name}"
    canvas = tag("canvas", role="img", aria_label=label, data_map=str(place))
    return tag("figure", canvas, tag("figcaption", name))


def _map(head: Head) -> dict[str, Any]:
    weights = np.nan_to_num(head.weights[:MOST_TOKENS, :MOST_TOKENS])
    levels = np.rint(FULL * np.clip(weights, 0, 1)).astype(np.uint8)
    text = base64.b64encode(levels.tobytes()).decode()
    return {"rows": levels.shape[0], "columns": levels.shape[1], "weights": text}
