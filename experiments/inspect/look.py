"""From a run and a text to an `Inspection`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.errors import UserError
from experiments.inspect.probe import Probe, make_probe
from experiments.inspect.prompts import prompted
from experiments.inspect.scores import head_scores
from experiments.inspect.texts import (
    fitting,
    repeated,
    validation_example,
)
from experiments.inspect.view import Inspection, Layer, Lens, label
from experiments.look import Trained, load_trained
from experiments.tasks.task import Batch


def inspect_run(
    path: str | Path,
    *,
    prompt: str | None = None,
    example: int = 0,
    repeat: bool = False,
    which: str = "best",
) -> Inspection:
    """Looks into a run's model while it reads a text.

    Args:
      path: the run directory.
      prompt: the text, of a translator the source; None takes a validation example.
      example: which validation example.
      repeat: reads random tokens twice instead, the standard test for induction.
      which: checkpoint: best, last, or a step.

    Returns:
      Attention of every layer and head, head scores and the logit lens.

    Raises:
      UserError: no such run, checkpoint or example, or a prompt that the vocabulary
        cannot write.
    """
    trained = load_trained(Path(path), which)
    return inspect_trained(trained, prompt=prompt, example=example, repeat=repeat)


def inspect_trained(
    trained: Trained,
    *,
    prompt: str | None = None,
    example: int = 0,
    repeat: bool = False,
) -> Inspection:
    """`inspect_run` for a model that is loaded already."""
    setup, kind = trained.setup, trained.setup.config.model.kind
    if repeat and kind != "decoder":
        raise UserError(
            f"attn inspect: --repeat is for decoders, and this is a {kind} model;"
            " give it a --prompt, or a validation example with --example."
        )
    if repeat:
        batch, about = repeated(setup), "random tokens, twice (seed 0)"
    elif prompt is not None:
        batch, about = prompted(trained, prompt)
    else:
        batch = validation_example(setup, example)
        about = f"validation example {example}"
    batch, notes = fitting(setup, batch)
    probe = make_probe(setup.config, setup.task.vocabulary.size)
    return inspect_batch(trained, probe, batch, about=about, notes=notes)


def inspect_batch(
    trained: Trained,
    probe: Probe,
    batch: Batch,
    *,
    about: str,
    notes: tuple[str, ...] = (),
) -> Inspection:
    """What a probe sees in a batch of one example."""
    setup, vocabulary = trained.setup, trained.setup.task.vocabulary
    _, weights, lens = jax.device_get(
        probe(trained.params, setup.inputs.constants, batch)
    )
    ids = sequences(batch)
    seen = None
    if lens is not None:
        names = ("embedding", *(f"block {i}" for i in range(len(lens["rank"]) - 1)))
        seen = Lens(layers=names, **lens)
    model = setup.config.model
    said = [] if seen is None else [*np.unique(seen.tokens), *np.unique(seen.wanted)]
    parts = (model.similarity, model.logits, model.masks, model.normalizer)
    return Inspection(
        run=trained.run.path.name,
        step=trained.step,
        spec=", ".join(x for x in (*parts, model.position) if x != "identity"),
        about=about,
        texts=labels(vocabulary, ids, weights),
        layers=attention_layers(weights, ids),
        lens=seen,
        symbols={int(i): label(vocabulary, int(i)) for i in said if i >= 0},
        notes=notes,
    )


def labels(
    vocabulary: Any, ids: dict[str, np.ndarray], layers: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The text of each token by sequence; pooling has a row that is no token."""
    found = {
        name: tuple(label(vocabulary, int(token)) for token in each)
        for name, each in ids.items()
    }
    return found | ({"pooled": ("pooled",)} if any(map(is_pool, layers)) else {})


def sequences(batch: Batch) -> dict[str, np.ndarray]:
    """The tokens of each sequence of a batch of one, without padding."""
    found = {"tokens": batch.tokens, "source": getattr(batch, "source", None)}
    present = {
        "tokens": getattr(batch, "present", None),
        "source": getattr(batch, "source_present", None),
    }
    return {
        name: np.asarray(ids[0])[: _length(present[name], ids)]
        for name, ids in found.items()
        if ids is not None
    }


def _length(present: Any, ids: Any) -> int:
    """Tokens before the padding that ends a text."""
    if present is None:
        return ids.shape[1]
    there = np.flatnonzero(np.asarray(present[0]))
    return int(there[-1]) + 1 if there.size else ids.shape[1]


def attention_layers(
    weights: dict[str, np.ndarray], ids: dict[str, np.ndarray]
) -> tuple[Layer, ...]:
    """Layers with their scores, cut to the tokens that are there.

    Args:
      weights: [N, T, S] by path of the layer.
      ids: tokens by sequence.
    """
    found = []
    for path, each in sorted(weights.items(), key=lambda item: place(item[0])):
        rows, columns = sides(path, "source" in ids)
        queries, keys = ids.get(rows, np.full(each.shape[1], -1)), ids[columns]
        each = np.asarray(each[:, : len(queries), : len(keys)], np.float32)
        scores = head_scores(each, queries, keys, within=rows == columns)
        found.append(Layer(path, rows, columns, each, scores))
    return tuple(found)


def place(path: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts layers as they run: the encoder first, numbers as numbers."""
    order = {"encoder": 0, "decoder": 1, "pool": 2}
    return tuple(
        (part.isdigit(), int(part), "")
        if part.isdigit()
        else (False, order.get(part, 0), part)
        for part in path.split(".")
    )


def sides(path: str, has_source: bool) -> tuple[str, str]:
    """Which sequence asks and which is asked in the layer at a path."""
    first, last = path.split(".")[0], path.split(".")[-1]
    if is_pool(path):
        return "pooled", "tokens"
    rows = "source" if has_source and first == "encoder" else "tokens"
    return rows, "source" if last == "cross" else rows


def is_pool(path: str) -> bool:
    """Whether a layer makes one row of all tokens."""
    return path.split(".")[0] == "pool"
