"""What went wrong: diverged, failed, killed and unfinished runs, damaged folders."""

from experiments.report.html import Html, join, tag
from experiments.report.view import View

MEANINGS = {
    "diverged": "its numbers are no longer finite",
    "failed": "it ended with an error",
    "killed": "its process is gone; attn resume goes on",
    "stopped": "it was stopped before its end; attn resume goes on",
    "running": "it is still running",
    "new": "nothing has been computed yet",
}
APART = "Runs that are not done have curves and rows of their own; no mean has them."


def section(view: View) -> Html | None:
    """A list of what a reader must know before the numbers; None if all is well."""
    found = [
        (
            run.name,
            run.status,
            _reason(str(run.manifest.get("reason") or ""), run.status),
        )
        for run in view.runs
        if run.status != "done"
    ]
    found += [
        (each.name, "damaged", f"{each.reason} Left out.") for each in view.damaged
    ]
    if not found:
        return None
    items = [
        tag("li", badge(status), " ", tag("code", name), " ", reason)
        for name, status, reason in found
    ]
    made = tag("ul", *items, class_="problems")
    if all(run.status == "done" for run in view.runs):
        return made
    return join(made, tag("p", APART, class_="caption"))


def badge(status: str) -> Html:
    """A status as a small label."""
    kind = status if status in MEANINGS or status in ("done", "damaged") else "new"
    return tag("span", status, class_=f"badge {kind}")


def _reason(given: str, status: str) -> str:
    meaning = MEANINGS.get(status, "")
    return f"{meaning}: {given}." if given else f"{meaning}."
