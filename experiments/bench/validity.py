"""What makes the times of a case worthless: few rounds, a machine that is not quiet."""

from collections.abc import Mapping

from experiments.bench.statistics import Ratio, Summary, against_itself

FEWEST = 5  # rounds; fewer have no interval, and a deviation of 0 by chance
# Load of a core before a case. Up to 1 is ours, of the case before it: contenders take
# turns, and each uses all cores at most. What is beyond is somebody else's.
BUSY = 1.5
SPREAD = 0.25  # of a median: what deviates more than this has been disturbed
QUIET = "run again on a quiet machine"


def few(rounds: int) -> str:
    """That rounds are too few for an interval, and the remedy; empty if enough."""
    if rounds >= FEWEST:
        return ""
    return f"too few rounds: {rounds} of at least {FEWEST}; give --rounds {FEWEST}"


def noise(
    load: float,
    cores: int,
    times: Mapping[str, Summary],
    control: Ratio | None,
) -> str:
    """What shows that the machine was not quiet, and the remedy; empty if it was.

    Args:
      load: average load of the machine before the case.
      cores: of the machine; 0 if unknown.
      times: of each contender.
      control: ours against itself, or None.
    """
    found = [busy(load, cores), spread(times), itself(control)]
    said = "; ".join(each for each in found if each)
    return f"{said}; {QUIET}" if said else ""


def busy(load: float, cores: int) -> str:
    """Whether somebody else used the machine."""
    if not cores or load <= BUSY * cores:
        return ""
    return f"the load before it was {load:.1f} on {cores} cores"


def spread(times: Mapping[str, Summary]) -> str:
    """Whose rounds differ too much among themselves."""
    wide = [
        f"{name} deviates by {each.mad / each.median:.0%} of its median"
        for name, each in times.items()
        if each.mad > SPREAD * each.median
    ]
    return ", ".join(wide)


def itself(control: Ratio | None) -> str:
    """Whether ours differs from itself, or may."""
    if control is None or (word := against_itself(control)) == "level":
        return ""
    if word in ("faster", "slower"):
        return f"ours against itself is not level: the second is {word}"
    return f"ours against itself is {word}"
