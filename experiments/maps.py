"""Attention maps of a run while it trained: files that need NumPy only to be read.

    steps = map_steps("runs/tiny_lm-1a2b3c4d")
    maps = read_maps("runs/tiny_lm-1a2b3c4d", steps[0])
    maps.layers[0].weights          # [N, T, S] float32
    maps.layers[0].scores["induction"]  # [N]

A run writes them every `log.maps_every`, each time of the same validation example.
"""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.inspect.scores import SCORES
from experiments.inspect.view import Layer

FOLDER = "maps"
FORMAT = re.compile(r"step_([0-9]{8,})\.npz")


@dataclass(frozen=True)
class Maps:
    """Attention at one step.

    Args:
      step: of training.
      texts: by sequence (`tokens`, `source`) the label of each token.
      layers: every attention layer; weights are rounded to float16.
    """

    step: int
    texts: Mapping[str, tuple[str, ...]]
    layers: tuple[Layer, ...]


def file_name(step: int) -> str:
    """Where the maps of a step lie in the run directory."""
    return f"{FOLDER}/step_{step:08d}.npz"


def map_steps(run: str | Path) -> list[int]:
    """The steps of which a run has maps, in order."""
    names = (each.name for each in (Path(run) / FOLDER).glob("step_*.npz"))
    return sorted(int(found[1]) for name in names if (found := FORMAT.fullmatch(name)))


def read_maps(run: str | Path, step: int | None = None) -> Maps | None:
    """The maps of a step, or None if the run has none.

    Args:
      run: the run directory.
      step: one of `map_steps`; None means the last.

    Raises:
      UserError: the file is damaged.
    """
    steps = map_steps(run)
    step = steps[-1] if step is None and steps else step
    if step is None or step not in steps:
        return None
    path = Path(run) / file_name(step)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return from_arrays(step, arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise UserError(
            f"{path}: damaged; remove it, the run does not need it."
        ) from None


def to_bytes(texts: Mapping[str, Sequence[str]], layers: Sequence[Layer]) -> bytes:
    """A file's content; the same arrays give the same bytes."""
    arrays: dict[str, Any] = {
        f"text/{name}": np.array(text, str) for name, text in texts.items()
    }
    for layer in layers:
        arrays[f"weights/{layer.name}"] = layer.weights.astype(np.float16)
        table = np.stack([layer.scores[name] for name in SCORES])
        arrays[f"scores/{layer.name}"] = table
        arrays[f"sides/{layer.name}"] = np.array([layer.rows, layer.columns], str)
    arrays["score_names"] = np.array([*SCORES], str)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def from_arrays(step: int, arrays: Mapping[str, np.ndarray]) -> Maps:
    """What `to_bytes` wrote."""
    texts = {
        key.removeprefix("text/"): tuple(arrays[key].tolist())
        for key in arrays
        if key.startswith("text/")
    }
    names = arrays["score_names"].tolist()
    layers = []
    for key in arrays:
        if key.startswith("weights/"):
            name = key.removeprefix("weights/")
            rows, columns = arrays[f"sides/{name}"].tolist()
            scores = dict(zip(names, arrays[f"scores/{name}"], strict=True))
            weights = arrays[key].astype(np.float32)
            layers.append(Layer(name, rows, columns, weights, scores))
    return Maps(step, texts, tuple(layers))


def summary(layers: Sequence[Layer]) -> dict[str, float]:
    """Metrics of all heads: the largest of each score, and the mean entropy.

    Only self-attention counts; a score with nothing to count is left out.
    """
    inner = [layer for layer in layers if layer.rows == layer.columns]
    found = {}
    for name in SCORES:
        values = np.concatenate([np.zeros(0), *(x.scores[name] for x in inner)])
        values = values[np.isfinite(values)]
        if values.size:
            best = values.mean() if name == "entropy" else values.max()
            found[f"heads/{name}"] = float(best)
    return found
