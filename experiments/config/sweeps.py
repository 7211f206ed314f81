"""What `sweep:` and `study:` can say."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from experiments.config.fields import Count, Name, Seed, Text, choice
from experiments.config.section import Section, says

MODES = {
    "grid": "every combination of the lists",
    "random": "`trials` draws from lists and ranges",
    "optuna": "`trials` proposals of optuna's sampler (extra `search`)",
}
GOALS = {"min": "lower is better", "max": "higher is better"}
SCALES = {"linear": "", "log": ""}
SCALARS = (str, int, float, bool, type(None))
Found = tuple[tuple[str, ...], str]  # a path in the section, and a message


class Range(BaseModel):
    """Where random values are drawn: `{low: 1e-4, high: 1e-1, scale: log}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    low: float = Field(strict=True, allow_inf_nan=False)
    high: float = Field(strict=True, allow_inf_nan=False)
    scale: choice(SCALES) = "linear"
    whole: bool = Field(False, strict=True)


def listed(value: Any) -> Any:
    """An axis: a list with something in it, or a range."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise ValueError(
            f"expected a list of values, got {value!r:.60}; write [{value!s:.60}]"
        )
    if not value:
        raise ValueError("expected at least one value, got an empty list")
    return value


Axis = Annotated[list[Any] | Range, BeforeValidator(listed)]
Changes = dict[str, Any]


class Sweep(Section):
    """Many runs of one config."""

    mode: choice(MODES) = says("grid", "how values are taken from the axes")
    axes: dict[str, Axis] = says({}, "dotted key to values")
    seeds: Count | None = says(None, "runs of each point, seeds 0, 1, ... (null: 1)")
    trials: Count | None = says(None, "points of a random or optuna sweep")
    draw: Seed = says(0, "seed of the draws of a random or optuna sweep")
    metric: Text = says("val/loss", "what optuna improves, and the table is sorted by")
    goal: choice(GOALS) | None = says(None, "min or max (null: by the metric)")
    lanes: Count | None = says(None, "runs side by side in a program (null: measured)")
    workers: Count | None = says(None, "processes at once (null: as many as cores)")

    def problems(self) -> Iterator[Found]:
        """What cannot be meant."""
        if not self.axes and self.seeds is None:
            yield ("axes",), "nothing to sweep; name axes, or set seeds."
        if self.seeds is not None and "seed" in self.axes:
            yield ("seeds",), "the seed is an axis already; keep one of the two."
        drawn = self.mode != "grid"
        if drawn and self.trials is None:
            yield ("trials",), f"mode {self.mode} needs a number of trials."
        if not drawn and self.trials is not None:
            yield ("trials",), "a grid takes every combination; set mode: random."
        for key, values in self.axes.items():
            if isinstance(values, Range):
                yield from self._range(key, values, drawn)
            else:
                yield from _repeated(key, values)

    def _range(self, key: str, values: Range, drawn: bool) -> Iterator[Found]:
        at = ("axes", key)
        if not drawn:
            yield at, "a grid needs a list; a range is for mode random or optuna."
        if not values.low < values.high:
            yield at, f"low must be below high, got {values.low:g}, {values.high:g}."
        elif values.scale == "log" and values.low <= 0:
            yield at, f"a log scale needs low above 0, got {values.low:g}."
        if values.whole and not (values.low.is_integer() and values.high.is_integer()):
            ends = f"{values.low:g}, {values.high:g}"
            yield at, f"a range of whole numbers has whole ends, got {ends}."


class Study(Section):
    """Variants compared on tasks, over seeds, each at its best tuned value."""

    title: Text = says("", "of the report (empty: the config's name)")
    variants: dict[Name, Changes] = says({}, "name to the keys that make the variant")
    tasks: dict[Name, Changes] = says({}, "name to the keys that make the task")
    axes: dict[str, Axis] = says({}, "keys to tune; the best value counts")
    seeds: Count = says(3, "runs of each variant, task and tuned value")
    first_seed: Seed = says(0, "the first of the seeds")
    metric: Text = says("val/loss", "what is compared first")
    goal: choice(GOALS) | None = says(None, "min or max (null: by the metric)")
    reference: Name | None = says(None, "variant to test against (null: the first)")
    lanes: Count | None = says(None, "runs side by side in a program (null: measured)")
    workers: Count | None = says(None, "processes at once (null: as many as cores)")

    def problems(self) -> Iterator[Found]:
        """What cannot be meant."""
        if not self.variants:
            yield ("variants",), "nothing to compare; name at least two variants."
        if self.reference is not None and self.reference not in self.variants:
            known = ", ".join(self.variants)
            yield ("reference",), f"no such variant; expected one of {known}."
        for key, values in self.axes.items():
            if isinstance(values, Range):
                yield ("axes", key), "a study needs a list of values."
            elif key == "seed":
                yield ("axes", key), "the seed is not tuned; set seeds."
            else:
                yield from _repeated(key, values)


def _repeated(key: str, values: list[Any]) -> Iterator[Found]:
    """A value that stands in a list twice would be one run counted twice."""
    for number, value in enumerate(values):
        if value in values[:number]:
            yield ("axes", key), f"has {value!s:.60} twice; keep one."
