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


def numbers(tokens, options):
    """Adds up: a scale multiplies what stands before it since the last scale."""
    text, symbols = written("numbers", tokens, options)
    total, group = 0, 0
    for word in text.replace("-", " ").split():
        if word == "hundred":
            group *= 100
        elif word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word != "and":
            group += VALUES[word]
    return answered(str(total + group), symbols, options["digits"] + 1)


UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen"
UNITS += " fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES = {word: i for i, word in enumerate(UNITS.split())}
VALUES |= {word: 10 * i for i, word in enumerate(TENS.split(), 2)}
SCALES = "thousand million billion trillion quadrillion"
SCALES = {word: 1000**i for i, word in enumerate(SCALES.split(), 1)}


def keywords(tokens, options):
    """Finds the verb in the past tense, what follows `the`, and the place."""
    text, symbols = written("keywords", tokens, options)
    found = []
    for sentence in text.split(" ."):
        words = sentence.split()
        past = [word for word in words if word in PAST]
        if past:
            (where,) = (word for word in words if word in PLACES)
            found += [words[words.index("the") + 1], past[0], where]
    return answered(found, symbols, 3 * options["sentences"] + 1)


PAST = "stopped burned leaked broke failed fell froze flooded cracked vanished melted"
PAST = {*PAST.split(), "exploded"}
PLACES = "Arlen Brome Culver Dorma Esk Farholm Gant Hale Iver Jorby Kelm Lund Morrow"
PLACES = {*PLACES.split(), "Neath", "Orth", "Pell"}


def lines(tokens, options):
    """Tells by keywords and punctuation, one language after another."""
    text, _ = written("lines", tokens, options)
    order = ("python", "c", "lisp", "sql", "shell", "html")
    return order.index(next(k for k, rule in RULES.items() if re.fullmatch(rule, text)))


RULES = {  # tried in this order
    "shell": r".*\$.*|source .*|\w+\(\) .*",
    "html": r"<.*>",
    "sql": r"(SELECT|UPDATE|WHERE|ORDER|DROP) .*",
    "lisp": r"\(.*",
    "c": r".*[;{]|#include .*",
    "python": r".*",
}
