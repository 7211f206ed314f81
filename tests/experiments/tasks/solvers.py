"""Oracles of the tasks that translate and classify: from the words alone, in Python."""

import datetime
import re
from collections import Counter

import numpy as np

from experiments import tasks

DATES = (
    *("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%m/%d/%Y", "%b %d %Y", "%Y, %B %d"),
    *("%d-%b-%Y", "%Y %m %d", "%d-%b-%y", "%m/%d/%y", "%d %B, %Y"),
)
ROMANS = (
    "",
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    *("VII", "VIII", "IX", "X", "XI", "XII"),
)


def written(kind, tokens, options):
    """The text behind tokens, and the symbols of the task."""
    declared = tasks.declared(kind)
    symbols = declared.symbols(declared.knobs.model_validate(options))
    separator = " " if max(map(len, symbols)) > 1 else ""
    return separator.join(symbols[token] for token in tokens), symbols


def answered(words, symbols, size):
    """An answer as targets [size]: its symbols, then ends (token 0)."""
    found = np.zeros(size, np.int64)
    found[: len(words)] = [symbols.index(word) for word in words]
    return found


def dates(tokens, options):
    """Takes out what says nothing, then tries one format after another."""
    text, symbols = written("dates", tokens, options)
    said = re.sub(r"^(\w+day,|Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?=[ \d])", "", text).strip()
    said = said.removeprefix("the ").replace(" of ", " ")
    said = re.sub(r"(\d)(st|nd|rd|th)", r"\1", said)
    if roman := re.fullmatch(r"(\d+)\. ([IVX]+)\. (\d+)", said):
        said = f"{roman[1]}.{ROMANS.index(roman[2]):02}.{roman[3]}"
    found = []
    for form in DATES:
        try:
            found.append(datetime.datetime.strptime(said, form).date())
        except ValueError:
            continue
    (day,) = found
    if re.search(r"[-/]\d\d$", said):  # of which century it says nothing
        year = next(
            y
            for y in range(options["first"], options["last"] + 1)
            if y % 100 == day.year % 100
        )
        day = datetime.date(year, day.month, day.day)
    return answered(str(day), symbols, 11)


def brackets(tokens, options):
    """Takes neighbours out that close each other, until nothing changes."""
    text, _ = written("brackets", tokens, options)
    while (shorter := re.sub(r"\(\)|\[\]|\{\}|<>", "", text)) != text:
        text = shorter
    return int(not text)


def majority(tokens, options):
    """Counts."""
    (most, count), (_, second) = Counter(tokens.tolist()).most_common(2)
    assert count > second
    return most - 1
