"""Numbers: from words to digits, a translation whose rules are few and exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp
from experiments.tasks.phrases import Phrases, Text, translation
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

SMALL = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", " thousand", " million", " billion", " trillion", " quadrillion")
MOST = 3 * len(SCALES)  # digits
# The longest words: for one, two and three digits of a group, each with its space.
WIDEST = (0, len(" three"), len(" seventy-three"), len(" three hundred and") + 14)


class Options(Knobs):
    """How large the numbers get."""

    digits: Count = says(6, "digits of the longest number")

    @property
    def context(self) -> int:
        return self.digits + 1

    @property
    def source(self) -> int:
        groups, rest = divmod(self.digits, 3)
        scales = sum(map(len, SCALES[: self.groups]))
        return groups * WIDEST[3] + WIDEST[rest] + scales - 1

    @property
    def groups(self) -> int:
        """Groups of three digits, each with its own scale."""
        return math.ceil(self.digits / 3)

    @property
    def shares(self) -> list[float]:
        """How often a number has 1, 2, ... digits: the more, the more of them."""
        squares = [size**2 for size in range(1, self.digits + 1)]
        return [each / sum(squares) for each in squares]

    @property
    def examples(self) -> float:
        return 10.0**self.digits

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.digits > MOST:
            yield "digits", f"there are words for {MOST} digits, got {self.digits}."


@cache
def phrases() -> Phrases:
    """The words, each with the space before it."""
    fields = {
        "small": ["", *(f" {word}" for word in SMALL)],
        "tens": ["", "", *(f" {word}" for word in TENS)],
        "ones": ["", *(f"-{word}" for word in SMALL[:9])],
        "scale": SCALES,
        "digit": list("0123456789"),
    }
    return Phrases([], fields, also=[" zero", " hundred", " and"])


def example(rng: Array, knobs: Options) -> Batch:
    """A number with the words of British English, `three hundred and five`.

    Returns:
      source [S] the words, tokens and targets [T] the digits.
    """
    which_size, which, which_first = jax.random.split(rng, 3)
    ends = jnp.cumsum(jnp.asarray(knobs.shares, jnp.float32))[:-1]
    size = 1 + (jax.random.uniform(which_size) > ends).sum(dtype=jnp.int32)
    digits = jax.random.randint(which, (3 * knobs.groups,), 0, 10)
    place = jnp.arange(digits.size, dtype=jnp.int32)
    first = digits.size - size
    digits = jnp.where(place < first, 0, digits)
    leads = (place == first) & (size > 1)  # such a number does not begin with 0
    digits = jnp.where(leads, jax.random.randint(which_first, (), 1, 10), digits)
    return translation(
        spell(digits, knobs),
        numerals(digits, size, knobs.digits),
        buckets("digits", size, knobs.digits, first=3),
    )


def spell(digits: Array, knobs: Options) -> Text:
    """The words of a number: digits [3 G] with zeros in front."""
    words, hundred, total = phrases(), digits.reshape(-1, 3), digits.sum()
    value = hundred @ jnp.asarray([100, 10, 1], jnp.int32)
    rows = []
    for i in range(knobs.groups):
        above, rest = hundred[i, 0], value[i] % 100
        is_last = i == knobs.groups - 1
        follows = (above > 0) | (is_last & (value[:i].sum() > 0))
        scale = jnp.where(value[i] > 0, knobs.groups - 1 - i, 0)
        rows += [
            words.row("small", above),
            given(above > 0, words.row(" hundred")),
            given(follows & (rest > 0), words.row(" and")),
            words.row("small", jnp.where(rest < 20, rest, 0)),
            words.row("tens", rest // 10),
            words.row("ones", jnp.where(rest < 20, 0, rest % 10)),
            words.row("scale", scale),
        ]
    rows += [given(total == 0, words.row(" zero"))]
    text = words.write(jnp.stack(rows), 1 + max(knobs.source, len("zero")))
    return Text(text.tokens[1 : 1 + knobs.source], text.length - 1)


def given(condition: Array, row: Array) -> Array:
    """A row, or the empty one."""
    return jnp.where(condition, row, phrases().row(""))


def numerals(digits: Array, size: Array, most: int) -> Text:
    """The last `size` digits as a text of at most `most`."""
    place = jnp.arange(most, dtype=jnp.int32)
    each = jnp.clip(digits.size - size + place, 0, digits.size - 1)
    row = phrases().row("digit", digits[each])
    return phrases().write(jnp.where(place < size, row, phrases().row("")), most)


def facts(knobs: Options) -> Facts:
    """Chance knows how long numbers are, and no word of the source."""
    shares = dict(enumerate(knobs.shares, 1))
    count = lambda size: 10 if size == 1 else 9 * 10 ** (size - 1)  # noqa: E731
    nats = sum(p * (math.log(count(size)) - math.log(p)) for size, p in shares.items())
    targets = sum(p * (size + 1) for size, p in shares.items())
    right = shares[1] / 10 + (1 - shares[1]) / 9  # the first digit
    for place in range(1, knobs.digits + 1):
        goes_on = sum(p for size, p in shares.items() if size > place)
        right += max(shares[place], goes_on / 10)
    return Facts(nats / targets, right / targets)


TASK = Declaration(
    knobs=Options,
    presets={"tiny": {"digits": 6}, "small": {"digits": 9}, "paper": {"digits": 18}},
    example=example,
    symbols=lambda knobs: phrases().symbols,
    facts=facts,
    model="seq2seq",
    prompt="three hundred and five",
    whole=True,
    slices="digits: how many the number has",
    reference="Sutskever et al. 2014, arXiv 1409.3215 (translation by two networks)",
)
