"""An inspection as one HTML file that needs no network.

The file holds a style, a script and data, and a policy that allows just these: the two
by their hashes, and nothing from outside. Text of the user stands in JSON, in which no
`<` is left, and reaches the page as text, never as markup.
"""

import base64
import html
import json
import string
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.inspect.scores import NAMED, SCORES
from experiments.inspect.view import Head, Inspection, visible
from experiments.policy import content_policy
from experiments.progress import printable
from experiments.storage import to_json

LARGEST = 5_000_000  # bytes of a page that can be mailed
STATEMENT = (
    "Scores are exact means over the weights of this text; a row of weights that sums"
    " to more than 1 is divided by its sum first. A head is called after its highest"
    f" score from {NAMED} on, which is a convention. Weights are shown to 1/255 of the"
    " square root of the head's largest."
)


def write_page(inspection: Inspection, path: Path, *, head: Head | None = None) -> None:
    """Writes the page of an inspection.

    Args:
      inspection: what to show.
      path: of the file.
      head: shown large at first; None takes the strongest that has a name.

    Raises:
      UserError: it would be larger than a mail takes.
    """
    text = page(inspection, head)
    if len(text) > LARGEST:
        raise UserError(
            f"attn inspect: the page would have {len(text) / 1e6:.1f} MB, more than "
            f"{LARGEST / 1e6:.0f}; choose a shorter --prompt."
        )
    path.write_text(text, encoding="utf-8")


def page(inspection: Inspection, head: Head | None = None) -> str:
    """The HTML."""
    folder = Path(__file__).parent
    style, script, frame = (
        (folder / f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js", "html")
    )
    return string.Template(frame).substitute(
        policy=content_policy(style, script),
        title=html.escape(f"attention of {inspection.run}"),
        style=style,
        script=script,
        statement=html.escape(STATEMENT),
        data=data_block(record(inspection, head)),
        weights=packed(inspection),
    )


def data_block(values: dict[str, Any]) -> str:
    """JSON that can stand in a script element whatever its texts hold."""
    text = json.loads(to_json(values))
    plain = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return plain


def packed(inspection: Inspection) -> str:
    """A byte a weight: the square root of its share of the head's largest.

    The root keeps small weights apart, which a straight scale would round to nothing.
    """
    parts = []
    for head in inspection.heads():
        weights = np.maximum(head.weights, 0)
        largest = weights.max(initial=0.0) or 1.0
        parts.append(np.round(255 * np.sqrt(weights / largest)).astype(np.uint8))
    raw = b"".join(part.tobytes() for part in parts)
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def record(inspection: Inspection, head: Head | None) -> dict[str, Any]:
    """What the script reads, apart from the weights."""
    heads = inspection.heads()
    head = strongest(inspection) if head is None else head
    names = [each.name for each in heads]
    return {
        "run": printable(inspection.run),
        "step": inspection.step,
        "spec": printable(inspection.spec),
        "about": printable(inspection.about),
        "notes": [printable(note) for note in inspection.notes],
        "texts": {
            name: [visible(token) for token in text]
            for name, text in inspection.texts.items()
        },
        "layers": [
            {
                "name": layer.name,
                "rows": layer.rows,
                "columns": layer.columns,
                "shape": layer.weights.shape[1:],
                "heads": [head_record(each) for each in layer.heads],
            }
            for layer in inspection.layers
        ],
        "scores": {
            name: {"meaning": score.meaning, "reference": score.reference}
            for name, score in SCORES.items()
        },
        "lens": lens_record(inspection),
        "symbols": {str(k): visible(text) for k, text in inspection.symbols.items()},
        "first": {
            "head": names.index(head.name),
            "token": len(inspection.texts[head.layer.rows]) - 1,
        },
    }


def head_record(head: Head) -> dict[str, Any]:
    """Name, scores and scale of a head."""
    return {
        "name": head.name,
        "number": head.number,
        "title": head.title,
        "scores": {name: round(value, 4) for name, value in head.scores.items()},
        "largest": float(max(head.weights.max(initial=0.0), 0.0)) or 1.0,
    }


def lens_record(inspection: Inspection) -> dict[str, Any] | None:
    """The lens, with four digits."""
    lens = inspection.lens
    if lens is None:
        return None
    return {
        "layers": list(lens.layers),
        "text": inspection.lens_text,
        "tokens": lens.tokens.tolist(),
        "probabilities": np.round(lens.probabilities.astype(float), 4).tolist(),
        "wanted": [int(token) if token >= 0 else None for token in lens.wanted],
        "rank": lens.rank.tolist(),
        "probability": np.round(lens.probability.astype(float), 4).tolist(),
    }


def strongest(inspection: Inspection) -> Head:
    """The head to begin with: the one of the highest score that gives a name."""
    titled = [name for name, score in SCORES.items() if score.title]
    for name in titled:
        found = inspection.heads(sort=name)[0]
        if found.title == SCORES[name].title:
            return found
    return inspection.heads()[0]
