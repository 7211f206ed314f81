"""Whether a decoder sees what it is to predict: its loss would mean nothing then.

A mask may look ahead where nothing is asked: `causal | prefix(16)` is fine for a task
whose first 16 targets do not count.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config.errors import show
from experiments.config.schema import LANGUAGE, Config

if TYPE_CHECKING:
    from attn.spec.mask import Mask
    from experiments.tasks.task import Task

BATCHES = 4  # that are drawn to see which targets count

Span = tuple[int, int]


def check_foresight(config: Config, task: "Task | None" = None) -> None:
    """Refuses a mask by which a position that counts knows a later token.

    Args:
      config: any; only the mask of a decoder is looked at.
      task: says which targets count. None is for before it is built: then only a
        language model of text is judged, of which all count.

    Raises:
      ConfigError: at the place where the mask was written.
    """
    from attn.spec.notation import parse  # here: a fault elsewhere needs no JAX

    if config.model.kind not in LANGUAGE or not judged(config, task):
        return
    mask, length = parse(config.model.mask), config.data.length
    if is_causal(mask, (0, length - 1)):
        return
    last = reach(mask, length, config.model.layers)
    ahead = (last > np.arange(length)) & (True if task is None else counted(task))
    if ahead.any():
        first = int(ahead.argmax())
        raise config.model.fault(
            "mask",
            f"lets position {first} know position {last[first]} before it predicts it;"
            f" expected no later key, got {show(config.model.mask)}; write"
            f" {show(remedy(mask, length))}.",
        )


def judged(config: Config, task: "Task | None") -> bool:
    """Whether it is known which targets count."""
    if task is None:
        return config.data.kind == "text"
    return task.validation_steps > 0  # else it has no batches: nothing is learned


def is_causal(mask: "Mask", span: Span) -> bool:
    """Whether covers alone prove that no position of a span sees a later one."""
    low, high = span
    if low == high:
        return True
    before, after = halves(span)
    return is_hidden(mask, before, after) and all(
        is_causal(mask, half) for half in (before, after)
    )


def is_hidden(mask: "Mask", queries: Span, keys: Span) -> bool:
    """Whether covers alone prove that no query sees any of the keys."""
    from attn.spec.mask import Cover

    cover = mask.cover(queries, keys)
    longer = max(queries, keys, key=lambda span: span[1] - span[0])
    if cover != Cover.SOME or longer[0] == longer[1]:
        return cover == Cover.EMPTY
    if longer is queries:
        return all(is_hidden(mask, half, keys) for half in halves(queries))
    return all(is_hidden(mask, queries, half) for half in halves(keys))


def halves(span: Span) -> tuple[Span, Span]:
    """A span of two or more, cut in the middle."""
    low, high = span
    middle = (low + high) // 2
    return (low, middle), (middle + 1, high)


def reach(mask: "Mask", length: int, layers: int) -> np.ndarray:
    """[T] the last position of which each one knows after so many layers."""
    # Whatever the documents of a text are, a pair is of one or of two.
    allowed = seen(mask, length) | seen(mask, length, apart=True)
    last = np.arange(length)
    for _ in range(layers):  # what a layer sees has seen others in the layer below
        last, before = np.array([last[row].max(initial=-1) for row in allowed]), last
        last = np.maximum(last, before)  # a residual stream keeps what it knew
    return last


def seen(mask: "Mask", length: int, *, apart: bool = False) -> np.ndarray:
    """[T, T] the pairs that a mask allows in one document, or where each is one."""
    from attn.spec.drawing import table
    from attn.spec.site import At

    number = np.arange(length, dtype=np.int32)
    document = {"segment": number if apart else np.zeros_like(number)}
    return table(mask, length, length, At(None, None, document, document))


def remedy(mask: "Mask", length: int) -> str:
    """The mask without what it sees ahead, as short as it can be said."""
    from attn.spec.masks import MASKS

    causal = MASKS["causal"]
    kept = causal & mask
    same = all(
        (seen(kept, length, apart=x) == seen(causal, length, apart=x)).all()
        for x in (False, True)
    )
    return repr(causal if same else kept)


def counted(task: Any) -> np.ndarray:
    """[T] whether the target of each position counts in any of some batches."""
    import jax  # late: most masks are causal, and nothing has to be drawn

    draw = jax.jit(
        lambda step: task.batch(task.arrays, 0, "train", step).weights.any(0)
    )
    return np.any([draw(step) for step in range(BATCHES)], axis=0)
