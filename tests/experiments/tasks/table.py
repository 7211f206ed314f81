"""One row a task that draws its examples: how NumPy solves it from the tokens alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.experiments.tasks import solvers

UNKNOWN = -1
Solver = Callable[[np.ndarray, dict[str, Any]], np.ndarray]


class Row(NamedTuple):
    """A row buys the tests of `test_generated_tasks.py`.

    Args:
      solve: (tokens [T] of one example, options) to the targets [T] that follow from
        them, with UNKNOWN where nothing follows; None where a test of the task's own
        computes the loss of a perfect predictor.
      options: small, with lengths that differ.
      harder: options beyond those, of the same vocabulary.
    """

    solve: Solver | None
    options: dict[str, Any]
    harder: dict[str, Any]


def induction(tokens, options):
    """What followed the same symbol before, unless a bar did."""
    bar, after = options["symbols"], {}
    answers = np.full(len(tokens), UNKNOWN)
    for i, token in enumerate(tokens):
        answers[i] = after.get(token, UNKNOWN)
        if i + 1 < len(tokens) and bar not in (token, tokens[i + 1]):
            assert after.setdefault(token, tokens[i + 1]) == tokens[i + 1]
    return answers


def word_then(answer):
    """Solves the tasks in which a word, a bar and an answer stand one after another."""

    def solve(tokens, options):
        bar = list(tokens).index(options["alphabet"])
        said = [*tokens[: bar + 1], *answer(list(tokens[:bar]))]
        answers = np.full(len(tokens), UNKNOWN)
        answers[bar : 2 * bar] = said[bar + 1 :]
        return answers

    return solve


def selective_copy(tokens, options):
    """What is no noise before the bar, in order."""
    noise, bar = options["alphabet"], options["length"]
    assert tokens[bar] == noise + 1
    items = [token for token in tokens[:bar] if token != noise]
    return np.array([UNKNOWN] * bar + items)


def recall(tokens, options):
    """What followed each token where it stood first."""
    first = {}
    answers = np.full(len(tokens), UNKNOWN)
    for i, token in enumerate(tokens):
        if token in first:
            answers[i] = tokens[first[token] + 1]
        first.setdefault(token, i)
    return answers


def parity(tokens, options):
    return np.array([sum(tokens[: i + 1]) % 2 for i in range(len(tokens))])


def dyck(tokens, options):
    """The kind of the last bracket still open."""
    kinds, stack, answers = options["kinds"], [], []
    for token in tokens:
        if token < kinds:
            stack.append(token)
        else:
            assert stack.pop() == token - kinds
        assert len(stack) <= options["depth"]
        answers.append(kinds + stack[-1] if stack else UNKNOWN)
    return np.array(answers)


def listops(tokens, options):
    """Reads the expression by recursion, as people do."""
    stream = iter(tokens.tolist())
    functions = [max, min, lambda x: int(np.median(x)), lambda x: sum(x) % 10]

    def value(token, depth):
        assert depth <= options["depth"] or token < 10
        if token < 10:
            return token
        arguments = []
        while (inner := next(stream)) != 14:
            arguments.append(value(inner, depth + 1))
        assert 2 <= len(arguments) <= options["arguments"]
        return functions[token - 10](arguments)

    result = value(next(stream), 1)
    answers = np.full(len(tokens), UNKNOWN)
    assert next(stream) == 15
    answers[list(tokens).index(15)] = result
    assert set(stream) <= {16}
    return answers


ROWS = {
    "copy": Row(
        word_then(lambda word: word),
        {"length": 7, "shortest": 3, "alphabet": 11},
        {"length": 13},
    ),
    "reverse": Row(
        word_then(lambda word: word[::-1]),
        {"length": 7, "shortest": 3, "alphabet": 11},
        {"length": 13},
    ),
    "sort": Row(
        word_then(sorted),
        {"length": 7, "shortest": 3, "alphabet": 11},
        {"length": 13},
    ),
    "induction": Row(
        induction,
        {"length": 19, "symbols": 11, "shortest": 4, "longest": 7},
        {"length": 31},
    ),
    "mqar": Row(
        recall,
        {"length": 22, "pairs": 5, "fewest": 2, "symbols": 26},
        {"length": 34, "pairs": 7},
    ),
    "selective_copy": Row(
        selective_copy,
        {"length": 17, "items": 5, "alphabet": 7},
        {"length": 23},
    ),
    "needle": Row(
        recall,
        {"length": 29, "needles": 3, "keys": 5, "values": 7, "straws": 11},
        {"length": 43},
    ),
    "parity": Row(
        parity,
        {"length": 11, "shortest": 3, "running": False},
        {"length": 17},
    ),
    "dyck": Row(
        dyck,
        {"length": 22, "kinds": 3, "depth": 5},
        {"length": 34, "depth": 7},
    ),
    "listops": Row(
        listops,
        {"length": 37, "depth": 3, "arguments": 5, "nesting": 0.5},
        {"length": 53, "depth": 5},
    ),
    "grammar": Row(
        None,
        {"length": 23, "states": 5, "alphabet": 7, "branches": 3},
        {"length": 31},
    ),
    "dates": Row(
        solvers.dates,
        {"first": 1973, "last": 2041},
        {"first": 1600},
    ),
    "brackets": Row(
        solvers.brackets,
        {"length": 14, "shortest": 6, "kinds": 3},
        {"length": 22},
    ),
    "majority": Row(
        solvers.majority,
        {"length": 17, "shortest": 5, "symbols": 7},
        {"length": 29},
    ),
    "numbers": Row(solvers.numbers, {"digits": 8}, {"digits": 11}),
    "keywords": Row(
        solvers.keywords,
        {"sentences": 5, "shortest": 2},
        {"sentences": 7},
    ),
    "lines": Row(solvers.lines, {"languages": 5, "names": 17}, {"names": 29}),
}
