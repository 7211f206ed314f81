"""Dates: from the many ways in which people write them to ISO 8601."""

from __future__ import annotations

import calendar
import datetime
import math
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp
from experiments.tasks.phrases import Phrases, translation

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
WEEKDAYS += ("Sunday",)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
# Points put the day first, slashes the month, so that no date can be read two ways.
FORMS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{day2}.{number2}.{year}",
    "{number}/{day}/{year}",
    "{nth} of {month} {year}",
    "{short} {day} {year}",
    "{weekday}, {day} {month} {year}",
    "the {nth} of {month}, {year}",
    "{year}, {month} {nth}",
    "{day}. {roman}. {year}",
    "{brief} {day}-{short}-{year}",
    "{year} {number2} {day2}",
    "{day}-{short}-{year2}",
    "{number}/{day}/{year2}",
)
FIGURES = (2, 3, 11, 13)  # forms without a month that is spelt out
SHORT = (12, 13)  # forms whose year has two digits; they stand last
ANSWER = 10  # characters of an ISO date
EPOCH = datetime.date(1970, 1, 1).toordinal()


class Options(Knobs):
    """Which years, and in how many forms."""

    first: Count = says(1950, "first year")
    last: Count = says(2049, "last year")
    forms: Count = says(len(FORMS), "ways of writing a date; the last two: short years")

    @property
    def context(self) -> int:
        return ANSWER + 1

    @property
    def source(self) -> int:
        return phrases(self).most

    @property
    def examples(self) -> float:
        return self.forms * self.days

    @property
    def days(self) -> int:
        """How many dates there are."""
        start, stop = self.span
        return stop - start

    @property
    def span(self) -> tuple[int, int]:
        """The first day, and the one after the last, counted from the year 1."""
        start = datetime.date(self.first, 1, 1).toordinal()
        return start, datetime.date(self.last, 12, 31).toordinal() + 1

    def problems(self) -> Iterator[tuple[str, str]]:
        short = len(FORMS) - len(SHORT)
        if not 1000 <= self.first <= self.last <= 9999:
            got = f"got first={self.first}, last={self.last}."
            yield "first", f"expected 1000 <= first <= last <= 9999, {got}"
        elif self.forms > len(FORMS):
            yield "forms", f"there are {len(FORMS)} forms, got {self.forms}."
        elif self.forms > short and self.last - self.first > 99:
            yield (
                "forms",
                f"short years are unique in 100 years only; expected at most {short}"
                f" for {self.first} to {self.last}, got {self.forms}.",
            )


@cache
def phrases(knobs: Options) -> Phrases:
    """The forms and their words."""
    ends = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    days, months = range(1, 32), range(1, 13)
    fields = {
        "day": [str(day) for day in days],
        "day2": [f"{day:02}" for day in days],
        "nth": [f"{day}{ends.get(day, 'th')}" for day in days],
        "month": MONTHS,
        "short": [month[:3] for month in MONTHS],
        "number": [str(month) for month in months],
        "number2": [f"{month:02}" for month in months],
        "roman": ROMAN,
        "year": [str(year) for year in range(knobs.first, knobs.last + 1)],
        "year2": [f"{year:02}" for year in range(100)],
        "weekday": WEEKDAYS,
        "brief": [day[:3] for day in WEEKDAYS],
    }
    return Phrases(FORMS[: knobs.forms], fields, also=["-"])


def example(rng: Array, knobs: Options) -> Batch:
    """A day of these years, written in one of the forms.

    Returns:
      source [S] the form, tokens and targets [T] the ISO date.
    """
    which_day, which_form = jax.random.split(rng)
    words, (start, stop) = phrases(knobs), knobs.span
    ordinal = start + jax.random.randint(which_day, (), 0, stop - start)
    form = jax.random.randint(which_form, (), 0, knobs.forms)
    year, month, day = civil(ordinal)
    weekday = (ordinal + 6) % 7
    values = dict.fromkeys(("day", "day2", "nth"), day - 1)
    values |= dict.fromkeys(("month", "short", "number", "number2", "roman"), month - 1)
    values |= {"year": year - knobs.first, "year2": year % 100}
    values |= {"weekday": weekday, "brief": weekday}
    row = lambda name: words.row(name, values.get(name, 0))  # noqa: E731
    iso = [row("year"), row("-"), row("number2"), row("-"), row("day2")]
    source = words.write(words.picks(form, values), knobs.source)
    answer = words.write(jnp.stack(iso), ANSWER)
    figures, short = ((form == jnp.asarray(group)).any() for group in (FIGURES, SHORT))
    slices = {"short_year": short, "figures": figures & ~short, "words": ~figures}
    return translation(source, answer, slices)


def civil(ordinal: Array) -> tuple[Array, Array, Array]:
    """Year, month and day of the so-manyth day since the year 1.

    Reference:
      Hinnant 2013, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    days = ordinal - EPOCH + 719_468  # since 1 March of the year 0
    era, day = jnp.divmod(days, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day = day - (365 * year + year // 4 - year // 100)
    month = (5 * day + 2) // 153  # counted from March
    day = day - (153 * month + 2) // 5 + 1
    month = jnp.where(month < 10, month + 3, month - 9)
    return year + era * 400 + (month <= 2).astype(jnp.int32), month, day


def facts(knobs: Options) -> Facts:
    """Chance is one of the days; what is written says the rest."""
    years = range(knobs.first, knobs.last + 1)
    leap = Counter(calendar.isleap(year) for year in years)
    parts = Counter({f"{year}-": 365 + calendar.isleap(year) for year in years})
    for day in range(366):  # of the leap year 2000
        date = datetime.date(2000, 1, 1) + datetime.timedelta(day)
        is_extra = (date.month, date.day) == (2, 29)
        parts[f"     {date:%m-%d}"] = leap[True] + (not is_extra) * leap[False]
    counts = [Counter() for _ in range(ANSWER)]
    for part, count in parts.items():
        for place, symbol in enumerate(part):
            counts[place][symbol] += count * (symbol != " ")
    right = [max(each.values()) / knobs.days for each in counts]
    targets = ANSWER + 1  # and the end, which is certain
    return Facts(math.log(knobs.days) / targets, (sum(right) + 1) / targets)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"first": 1950, "last": 2049, "forms": 14},
        "small": {"first": 1600, "last": 2399, "forms": 12},
        "paper": {"first": 1000, "last": 2999, "forms": 12},
    },
    example=example,
    symbols=lambda knobs: phrases(knobs).symbols,
    facts=facts,
    model="seq2seq",
    prompt="Sunday, 3 May 1987",
    whole=True,
    slices="words, figures, short_year: how the date is written",
    reference="Bahdanau et al. 2014, arXiv 1409.0473 (attention from text to text)",
)
