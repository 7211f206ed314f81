"""What was seen in one pass of a model over a text: plain arrays, no JAX."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from experiments.inspect.scores import title_of

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}


class Head(NamedTuple):
    """One head of a layer."""

    layer: "Layer"
    number: int

    @property
    def name(self) -> str:
        """`blocks.0.attention` 3 as `0.3`, others as `encoder.0.3`."""
        return f"{self.layer.short}.{self.number}"

    @property
    def weights(self) -> np.ndarray:
        """[T, S]."""
        return self.layer.weights[self.number]

    @property
    def scores(self) -> dict[str, float]:
        """By name; NaN where there is nothing to count."""
        return {k: float(each[self.number]) for k, each in self.layer.scores.items()}

    @property
    def title(self) -> str:
        """What it is called after its scores, or an empty text."""
        return title_of(self.scores)


@dataclass(frozen=True)
class Layer:
    """The attention of one layer.

    Args:
      name: dotted path of its module.
      rows: the sequence that asks, a name of `Inspection.texts`.
      columns: the sequence that is asked.
      weights: [N, T, S] float32; 0 where the mask forbids.
      scores: [N] by name, see `experiments.inspect.scores`.
    """

    name: str
    rows: str
    columns: str
    weights: np.ndarray
    scores: Mapping[str, np.ndarray]

    @property
    def short(self) -> str:
        """The name without the words that say nothing: `0`, `decoder.0.cross`."""
        dull = {"blocks", "attention"}
        return ".".join(x for x in self.name.split(".") if x not in dull) or "0"

    @property
    def heads(self) -> list[Head]:
        """All of them, in order."""
        return [Head(self, number) for number in range(len(self.weights))]


@dataclass(frozen=True)
class Lens:
    """What the model would say after each layer: the logit lens.

    Args:
      layers: `embedding`, then a name for each block.
      tokens: [L + 1, T, K] the likeliest next tokens.
      probabilities: [L + 1, T, K] theirs.
      wanted: [T] the right next token, -1 where nobody knows it.
      rank: [L + 1, T] of the right one, 1 is the likeliest; 0 where nobody knows it.
      probability: [L + 1, T] of the right one.
    """

    layers: tuple[str, ...]
    tokens: np.ndarray
    probabilities: np.ndarray
    wanted: np.ndarray
    rank: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Inspection:
    """One pass over one text.

    Args:
      run: name of the run.
      step: of the checkpoint.
      spec: the attention, in notation.
      about: where the text comes from, for the reader.
      texts: by sequence (`tokens`, `source`) the label of each token.
      layers: every attention layer.
      lens: None for a model that says no next token.
      lens_text: the sequence that the lens is about.
      symbols: labels of the tokens that the lens names.
      notes: what was left out, for the reader.
    """

    run: str
    step: int
    spec: str
    about: str
    texts: Mapping[str, tuple[str, ...]]
    layers: tuple[Layer, ...]
    lens: Lens | None = None
    lens_text: str = "tokens"
    symbols: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def heads(self, sort: str | None = None) -> list[Head]:
        """Every head, in order or from the highest score down; entropy from the lowest.

        Heads without the score come last.
        """
        found = [head for layer in self.layers for head in layer.heads]
        if sort is None:
            return found
        sign = 1 if sort == "entropy" else -1
        key = lambda head: np.nan_to_num(sign * head.scores[sort], nan=np.inf)  # noqa: E731
        return sorted(found, key=key)

    def record(self) -> dict[str, Any]:
        """All of it as plain values; a score that has nothing to count is NaN."""
        return {
            "run": self.run,
            "step": self.step,
            "spec": self.spec,
            "about": self.about,
            "texts": {name: list(text) for name, text in self.texts.items()},
            "layers": [*self._layers()],
            "lens": self._lens(),
            "notes": list(self.notes),
        }

    def _layers(self) -> Iterator[dict[str, Any]]:
        for layer in self.layers:
            yield {
                "name": layer.name,
                "rows": layer.rows,
                "columns": layer.columns,
                "heads": [
                    {
                        "name": head.name,
                        "title": head.title,
                        "scores": head.scores,
                        "weights": head.weights.astype(float).tolist(),
                    }
                    for head in layer.heads
                ],
            }

    def _lens(self) -> dict[str, Any] | None:
        if self.lens is None:
            return None
        lens = self.lens
        name = lambda token: self.symbols.get(int(token), "")  # noqa: E731
        return {
            "layers": list(lens.layers),
            "text": self.lens_text,
            "tokens": [[[name(k) for k in t] for t in layer] for layer in lens.tokens],
            "probabilities": lens.probabilities.astype(float).tolist(),
            "wanted": [name(token) if token >= 0 else None for token in lens.wanted],
            "rank": lens.rank.tolist(),
            "probability": lens.probability.astype(float).tolist(),
        }


def visible(text: str) -> str:
    """A token so that a reader sees it: blanks get signs, control characters codes."""
    shown = "".join(SIGNS.get(c, c) for c in text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def label(vocabulary: Any, token: int) -> str:
    """A token's text; a part of a character, which has none, as its code."""
    text = vocabulary.decode([token])
    if text in ("", "\N{REPLACEMENT CHARACTER}"):
        return f"\\x{token:02x}" if vocabulary.size == 256 else f"<{token}>"
    return text
