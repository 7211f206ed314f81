"""What a head does, as numbers: exact means over its weights. NumPy only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

NAMED = 0.4  # a head is called after a score from here on: a convention, not a law


@dataclass(frozen=True)
class Score:
    """A number that says what a head does.

    Args:
      meaning: its definition in a line.
      reference: who described such heads.
      of: (shares [N, T, S], queries [T], keys [S]) -> [N]; NaN where nothing counts.
      title: what a head that scores high is called; empty if nothing.
      within: needs queries and keys to be the tokens of one sequence.
    """

    meaning: str
    reference: str
    of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    title: str = ""
    within: bool = True


def previous(shares: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean over t >= 1 of shares[t, t - 1]."""
    return mean(np.diagonal(shares, -1, axis1=1, axis2=2))


def induction(shares: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean over t of the share on what followed earlier tokens like token t."""
    followed = np.zeros((len(queries), len(keys)), bool)
    followed[:, 1:] = queries[:, None] == keys[None, :-1]
    return on(shares, followed & before(queries))


def duplicate(shares: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean over t of the share on earlier tokens like token t."""
    return on(shares, (queries[:, None] == keys[None, :]) & before(queries))


def first(shares: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean over t >= 1 of shares[t, 0]."""
    return mean(shares[:, 1:, 0])


def entropy(shares: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean over t of -sum(p log p) in nats, p the row made to sum to 1."""
    total = shares.sum(-1, keepdims=True)
    seen = total[0, :, 0] > 0 if len(shares) else np.zeros(0, bool)
    p = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    nats = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)
    return mean(nats[:, seen])


def before(tokens: np.ndarray) -> np.ndarray:
    """[T, T], True where the key stands before the query."""
    return np.tri(len(tokens), k=-1, dtype=bool)


def on(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Mean, over the queries with a wanted key, of their share on wanted keys."""
    rows = wanted.any(-1)
    return mean((shares * wanted).sum(-1)[:, rows])


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis; NaN where it has no length."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    return values.mean(-1)


SCORES: Mapping[str, Score] = {
    "induction": Score(
        "mean weight on the tokens that followed earlier occurrences of the query's"
        " token, over the queries that have any",
        "Olsson et al. 2022 (prefix matching), arXiv 2209.11895",
        induction,
        "induction head",
    ),
    "previous": Score(
        "mean weight on the token just before the query",
        "Voita et al. 2019 (positional heads), arXiv 1905.09418",
        previous,
        "previous-token head",
    ),
    "duplicate": Score(
        "mean weight on earlier occurrences of the query's own token, over the queries"
        " that have any",
        "Wang et al. 2022 (duplicate token heads), arXiv 2211.00593",
        duplicate,
        "duplicate-token head",
    ),
    "first": Score(
        "mean weight on the first token, over all later queries",
        "Xiao et al. 2023 (attention sinks), arXiv 2309.17453",
        first,
        "first-token head",
        within=False,
    ),
    "entropy": Score(
        "mean entropy of a query's weights in nats: 0 looks at one token",
        "Clark et al. 2019, arXiv 1906.04341",
        entropy,
        within=False,
    ),
}


def head_scores(
    weights: np.ndarray, queries: np.ndarray, keys: np.ndarray, *, within: bool
) -> dict[str, np.ndarray]:
    """Every score of every head of a layer.

    A row that sums to more than 1, as weights of sigmoid or relu2 may, is divided by
    its sum; one that sums to less keeps what a sink has taken.

    Args:
      weights: [N, T, S], not negative.
      queries: [T], the tokens that ask.
      keys: [S], the tokens that are asked.
      within: whether both are the same sequence; otherwise scores that compare places
        are NaN.

    Returns:
      [N] float64 by name, NaN where a score has nothing to count.
    """
    weights = weights.astype(np.float64)
    shares = weights / np.maximum(1.0, weights.sum(-1, keepdims=True))
    nothing = np.full(len(weights), np.nan)
    return {
        name: score.of(shares, queries, keys) if within or not score.within else nothing
        for name, score in SCORES.items()
    }


def title_of(scores: Mapping[str, float]) -> str:
    """What a head is called after its highest score; empty if none reaches `NAMED`."""
    named = {name: scores[name] for name in scores if SCORES[name].title}
    reached = {name: each for name, each in named.items() if each >= NAMED}
    return SCORES[max(reached, key=reached.__getitem__)].title if reached else ""
