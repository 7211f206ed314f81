"""Greedy and beam search against every answer there is, written out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attn.decoding import beam_search, greedy

V, LENGTH, START, END = 3, 4, 0, 2
B = 5


def table(seed):
    """A model that is a table: logits by (count, the last two tokens)."""
    return np.random.default_rng(seed).normal(0, 2, (LENGTH + 1, V, V, V))


def score_of(logits):
    logits = jnp.asarray(logits, jnp.float32)

    def score(tokens, count):
        before = tokens[:, jnp.maximum(count - 2, 0)]
        return logits[count, before, tokens[:, count - 1]]

    return score


def log_probability(logits, answer):
    """The same in NumPy, float64, one token at a time."""
    line, total = [START, *answer], 0.0
    for count in range(1, len(line)):
        row = logits[count, line[max(count - 2, 0)], line[count - 1]]
        total += row[line[count]] - np.log(np.exp(row).sum())
    return total


def answers():
    """Every answer: ended, or of full length without an end."""
    for size in range(1, LENGTH + 1):
        for words in itertools.product(range(V), repeat=size):
            ends = words[-1] == END
            if END not in words[:-1] and (ends or size == LENGTH):
                yield words


def by_hand(logits, penalty):
    worths = {
        a: log_probability(logits, a) / ((5 + len(a)) / 6) ** penalty for a in answers()
    }
    return sorted(worths.items(), key=lambda item: -item[1])


def full(answer):
    return [*answer, *[END] * (LENGTH - len(answer))]


SIZES = {"start": START, "end": END, "length": LENGTH}


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_a_wide_beam_finds_every_answer_in_order(penalty):
    tables = [table(seed) for seed in range(B)]
    # 2 tokens go on, so that at most 2^4 beginnings are alive: nothing is ever lost.
    search = lambda logits: beam_search(  # noqa: E731
        score_of(logits), **SIZES, beams=16, penalty=penalty
    )
    tokens, worths = jax.jit(jax.vmap(search))(jnp.asarray(np.stack(tables), "f4"))
    for i, logits in enumerate(tables):
        expected = by_hand(logits, penalty)[:16]
        assert tokens[i].tolist() == [full(a) for a, _ in expected]
        np.testing.assert_allclose(worths[i], [w for _, w in expected], rtol=1e-4)


def test_a_narrow_beam_keeps_the_likeliest_beginnings():
    for seed in range(B):
        logits = table(seed)
        tokens, worths = beam_search(score_of(logits), **SIZES, beams=2, penalty=0.0)
        alive, kept = [()], []
        for _ in range(LENGTH):
            grown = [(*a, v) for a in alive for v in range(V)]
            grown.sort(key=lambda a: -log_probability(logits, a))
            kept += [a for a in grown if a[-1] == END]
            alive = [a for a in grown if a[-1] != END][:2]
        kept = sorted(kept + alive, key=lambda a: -log_probability(logits, a))[:2]
        assert tokens.tolist() == [full(a) for a in kept]
        for answer, worth in zip(kept, worths, strict=True):
            assert worth == pytest.approx(log_probability(logits, answer), rel=1e-4)


def test_greedy_takes_the_likeliest_token():
    tables = np.stack([table(seed) for seed in range(B)])
    search = lambda logits: greedy(score_of(logits), **SIZES)  # noqa: E731
    tokens, totals = jax.jit(jax.vmap(search))(jnp.asarray(tables, jnp.float32))
    for i, logits in enumerate(tables):
        line = [START]
        while len(line) <= LENGTH and line[1:][-1:] != [END]:
            count = len(line)
            line.append(int(logits[count, line[max(count - 2, 0)], line[-1]].argmax()))
        assert tokens[i].tolist() == full(line[1:])
        assert totals[i] == pytest.approx(log_probability(logits, line[1:]), rel=1e-4)


def test_a_penalty_favours_longer_answers():
    """Ending now is likelier than going on; per token it is not."""
    logits = np.zeros((LENGTH + 1, V, V, V))
    logits[1, ..., END] = 1.0
    logits[2:, ..., 1] = 9.0
    long, short = (
        beam_search(score_of(logits), **SIZES, beams=4, penalty=p)[0][0].tolist()
        for p in (5.0, 0.0)
    )
    assert short == full([END])
    assert long[0] != END
