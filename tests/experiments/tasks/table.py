"""One row a task that draws its examples: how NumPy solves it from the tokens alone."""

from typing import NamedTuple

import numpy as np

UNKNOWN = -1


class Row(NamedTuple):
    """A row buys the tests of `test_generated_tasks.py`.

    Args:
      solve: tokens [T] of one example to the targets [T] that follow from them, with
        UNKNOWN where nothing follows.
      options: small, with lengths that differ.
      grid: options beyond those, for the test of lengths.
    """

    solve: object
    options: dict
    grid: dict


def induction(tokens, options):
    """The successor of the latest token that is the same."""
    answers = np.full(len(tokens), UNKNOWN)
    for i, token in enumerate(tokens):
        before = [j for j in range(i) if tokens[j] == token]
        if before:
            answers[i] = tokens[before[-1] + 1]
    return answers


ROWS = {
    "induction": Row(
        induction,
        {"length": 19, "symbols": 11, "shortest": 4, "longest": 7},
        {"length": 31},
    ),
}
