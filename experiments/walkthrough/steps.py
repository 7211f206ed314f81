"""Every step of attention on a sentence, with real numbers.

The numbers come from the library's own functions, one step at a time; `Walk.difference`
is how far they end from the layer called as a whole.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

import attn
from attn import functional
from attn.heads import of_head
from attn.modules import Embedding, MultiHeadAttention
from attn.spec import site
from attn.spec.attention import Attention

WIDTH = 8  # of the residual stream: what fits a terminal line with two digits


@dataclasses.dataclass(frozen=True)
class Step:
    """One step: what is computed, and the numbers of the head that is shown.

    Attributes:
      title: the step's name.
      formula: how it is computed, in the library's own names.
      meaning: one sentence.
      shape: of the whole array, with axis letters.
      array: [rows, columns], what is printed.
      rows: a label a row.
      columns: a label a column; None numbers them.
      shaded: whether cells are shaded by their size (weights).
    """

    title: str
    formula: str
    meaning: str
    shape: str
    array: np.ndarray
    rows: list[str]
    columns: list[str] | None = None
    shaded: bool = False


@dataclasses.dataclass(frozen=True)
class Walk:
    """The steps of one sentence and how far they are from the single call."""

    words: list[str]
    spec: Attention
    head: int
    steps: list[Step]
    difference: float


def walk(
    sentence: str,
    *,
    spec: Any = "everything",
    heads: int = 2,
    head: int = 0,
    seed: int = 0,
) -> Walk:
    """Computes attention for a sentence one step at a time.

    Args:
      sentence: words separated by spaces; each distinct word is a token.
      spec: a mask, a piece, an `Attention` or notation.
      heads: N; divides the width of 8.
      head: which head to show, counted from 0.
      seed: draws the embedding and the linear maps.

    Returns:
      The steps in order.

    Raises:
      ValueError: an empty sentence, or a head that is not there.
    """
    words = sentence.split()
    if not words:
        raise ValueError("walkthrough: the sentence has no words; give at least one.")
    if not 0 <= head < heads:
        raise ValueError(
            f"walkthrough: head must be in 0..{heads - 1}, got {head}; "
            f"say --heads to have more."
        )
    vocabulary = sorted(set(words))
    tokens = jnp.array([[vocabulary.index(word) for word in words]])
    rngs = nnx.Rngs(seed)
    embedding = Embedding(len(vocabulary), WIDTH, std=1.0, rngs=rngs)
    layer = MultiHeadAttention(width=WIDTH, heads=heads, spec=spec, rngs=rngs)
    x = embedding(tokens)
    inputs, projected = input_steps(layer, x, words, tokens, head)
    inner, outputs = head_steps(layer, projected, words, head)
    last, result = output_steps(layer, x, outputs, words)
    whole = x + layer(x)
    difference = float(jnp.abs(result - whole).max())
    return Walk(words, layer.spec.piece, head, [*inputs, *inner, *last], difference)


def input_steps(layer, x, words, tokens, head):
    """Words to rows, rows to query, key and value."""
    t, d = x.shape[1:]
    found = [
        Step(
            "Tokens",
            "token = vocabulary.index(word)",
            "Each distinct word is a number: a row of the embedding table.",
            f"[T={t}]",
            np.asarray(tokens).T,
            words,
            ["token"],
        ),
        Step(
            "Embedding",
            "x = table[token]",
            "Each token becomes a vector; the same word gets the same vector.",
            f"[T={t}, D={d}]",
            np.asarray(x[0]),
            words,
        ),
    ]
    projected = layer.project(x)
    meanings = (
        ("query", "What each word is looking for."),
        ("key", "What each word offers to be found by."),
        ("value", "What each word passes on when it is found."),
    )
    for (name, meaning), array in zip(meanings, projected, strict=True):
        formula = f"{name} = linear(x, {name}_kernel), cut into heads"
        n, h = array.shape[-2:]
        shape = f"[T={t}, N={n}, {'E' if name == 'value' else 'H'}={h}]"
        shown = np.asarray(array[0, :, head])
        found.append(Step(name.capitalize(), formula, meaning, shape, shown, words))
    return found, projected


def head_steps(layer, projected, words, head):
    """The steps inside the head that is shown, and the outputs of all heads."""
    spec = layer.spec.piece.for_heads(layer.heads)
    traces = [
        one_head(of_head(spec, n), *(array[0, :, n] for array in projected))
        for n in range(layer.heads)
    ]
    outputs = jnp.stack([trace["output"] for trace in traces], axis=1)
    return describe(spec, traces[head], words), outputs[None]


def one_head(spec, query, key, value):
    """What one head computes, in order, by name; the pieces of the spec do it."""
    t = len(query)
    where = site.whole(site.resolve(None, t, t, spec))
    found = {"products": attn.dot(scale=1.0).compare(query, key)}
    found["similarity"] = spec.similarity.compare(query, key)
    found["logits"] = spec.logits.apply(found["similarity"], where)
    found["mask"] = jnp.broadcast_to(spec.mask.allows(where), (t, t))
    found["weights"] = spec.normalizer.weights(found["logits"], found["mask"])
    found["output"] = jnp.einsum("ts,se->te", found["weights"], value)
    found["root"] = jnp.sqrt(jnp.float32(query.shape[-1]))
    return found


def describe(spec, trace, words) -> list[Step]:
    """The steps of one head in words; pieces that do nothing are left out."""
    t, e = trace["output"].shape
    idle = {"logits": repr(spec.logits) == "identity"}
    idle["mask"] = repr(spec.mask) == "everything"
    idle["products"] = spec.similarity.name != "dot"
    return [
        Step(
            title,
            formula,
            meaning,
            f"[T={t}, E={e}]" if name == "output" else f"[T={t}, S={t}]",
            np.asarray(trace[name]).astype(int if name == "mask" else float),
            words,
            None if name == "output" else words,
            shaded=name in ("mask", "weights"),
        )
        for name, title, formula, meaning in captions(spec, trace)
        if not idle.get(name)
    ]


def captions(spec, trace) -> list[tuple[str, str, str, str]]:
    """Name, title, formula and meaning of each step inside a head."""
    return [
        (
            "products",
            "Dot products",
            "logits[t, s] = sum over h of query[t, h] * key[s, h]",
            "How well each query (row) matches each key (column).",
        ),
        ("similarity", *similarity_words(spec, float(trace["root"]))),
        (
            "logits",
            "Logits pieces",
            repr(spec.logits),
            "What the spec does to logits before they become weights.",
        ),
        (
            "mask",
            "Mask",
            repr(spec.mask),
            "1 where a query (row) may attend to a key (column).",
        ),
        (
            "weights",
            "Weights",
            f"weights = {spec.normalizer!r}(logits) over the permitted keys",
            sums_sentence(trace["weights"]),
        ),
        (
            "output",
            "Weighted sum of values",
            "output[t] = sum over s of weights[t, s] * value[s]",
            "Each word takes from the others what its weights say.",
        ),
    ]


def similarity_words(spec, root: float) -> tuple[str, str, str]:
    """Title, formula and meaning of the logits as the similarity leaves them."""
    if repr(spec.similarity) == "dot":
        return (
            "Division by the square root of the key width",
            f"logits / sqrt(H) = logits / {root:.4g}",
            "Keeps the size of a sum of H products independent of H.",
        )
    meaning = "How well each query (row) matches each key (column)."
    return "Similarity", repr(spec.similarity), meaning


def sums_sentence(weights) -> str:
    """What the rows of the weights add up to, as seen, not as hoped."""
    sums = np.asarray(weights.sum(axis=-1))
    if np.allclose(sums, 1.0, atol=1e-6):
        return "The logits of a row become shares: each row sums to 1."
    listed = ", ".join(f"{total:.3g}" for total in sums)
    return f"The logits of a row become weights; the rows sum to {listed}."


def output_steps(layer, x, outputs, words):
    """Concatenation, the map back, the residual sum."""
    t, d = x.shape[1:]
    merged = functional.merge_heads(outputs)
    mapped = layer.output(merged)
    result = x + mapped
    n = outputs.shape[2]
    rows = [
        (
            "Concatenation over heads",
            "concatenated = heads side by side",
            f"The outputs of all {n} heads stand in one row per word.",
            merged,
        ),
        (
            "Output projection",
            "update = linear(concatenated, output_kernel)",
            "Mixes what the heads found, back to the width of the model.",
            mapped,
        ),
        (
            "Residual sum",
            "x + update",
            "Attention adds to the word's vector; it does not replace it.",
            result,
        ),
    ]
    steps = [
        Step(title, formula, meaning, f"[T={t}, D={d}]", np.asarray(array[0]), words)
        for title, formula, meaning, array in rows
    ]
    return steps, result
