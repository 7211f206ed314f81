"""What sets the variants apart: the keys in which their configs differ."""

from experiments.report.html import Html, join, tag
from experiments.report.tables import Cell, Column, table, variant_cell
from experiments.report.view import View
from experiments.variants import differing, is_task

SHOWN = 24  # differing keys beside each other; more are told in the configs below
SELF = ("seed", "name", "notes", "tags")  # told elsewhere


def section(view: View) -> Html:
    """A table of the differing keys, and what all have in common."""
    firsts = [variant.runs[0] for variant in view.variants]
    flat = [run.flat for run in firsts]
    changing = differing(flat)
    keys = [key for key in changing if key not in SELF and not is_task(key)]
    parts = []
    if len(view.variants) == 1:
        parts.append(tag("p", "There is one variant, so nothing differs."))
    elif not keys:
        parts.append(tag("p", "The configs of the variants do not differ."))
    else:
        many = len(view.tasks) > 1
        columns = [
            Column("variant"),
            *([Column("task")] if many else []),
            *(Column(key) for key in keys[:SHOWN]),
        ]
        rows = [
            [
                variant_cell(variant.label, view.colour(variant)),
                *([Cell(variant.task)] if many else []),
                *(
                    Cell(tag("code", value_text(values.get(key))))
                    for key in keys[:SHOWN]
                ),
            ]
            for variant, values in zip(view.variants, flat, strict=True)
        ]
        parts.append(table("Keys that differ between variants", columns, rows))
        if len(keys) > SHOWN:
            parts.append(tag("p", f"{len(keys) - SHOWN} more keys differ."))
    common = {k: v for k, v in flat[0].items() if k not in (*changing, *SELF)}
    return join(*parts, _common(common))


def value_text(value: object) -> str:
    """A config's value as YAML would have it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _common(values: dict[str, object]) -> Html:
    pairs = [
        tag("div", tag("dt", key), tag("dd", value_text(value)))
        for key, value in values.items()
    ]
    return tag(
        "details",
        tag("summary", f"{len(values)} keys that all variants share"),
        tag("dl", *pairs, class_="keys"),
    )
