"""Markup from Python: whatever is not markup already is escaped."""

import html
import json
from typing import Any

from experiments.progress import printable

VOID = {"meta", "br", "input", "col"}


class Html(str):
    """Markup; every other text is escaped where it enters a page."""


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """An element.

    Args:
      name: of the element.
      children: markup as it is, other values as escaped text; None is left out.
      attributes: `class_` is written class, `data_x` data-x; None and False are left
        out, True has no value.
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{join(*children)}</{name}>")


def join(*children: Any) -> Html:
    """Children one after the other."""
    return Html("".join(escape(each) for each in children if each is not None))


def escape(value: Any) -> Html:
    """Text that a browser shows as it is; what drives a terminal is written out."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(printable(str(value)), quote=True))


def data(identifier: str, value: Any) -> Html:
    """Data for the page's script; nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(f'<script type="application/json" id="{identifier}">{text}</script>')


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'
