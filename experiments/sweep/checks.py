"""What is refused before any run of a sweep begins."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from experiments.config import ConfigError, Fault
from experiments.config.many import Many, Point
from experiments.config.sweeps import Study
from experiments.metrics import unknown
from experiments.ready import check_files, check_words
from experiments.sweep.begun import begun
from experiments.sweep.plan import Planned


def check_points(points: Sequence[Point]) -> None:
    """Refuses notation that cannot be read and sinks that are not installed.

    Raises:
      ConfigError: with the faults of all points, each once.
    """
    _check(partial(check_words, point.config) for point in points)


def check_metric(many: Many, points: Sequence[Point]) -> None:
    """Refuses a metric that no run will have or, in a study, that one will not.

    Raises:
      ConfigError: at the place where it was written.
    """
    metric, is_study = many.plan.metric, isinstance(many.plan, Study)
    alike = {}  # runs of one task have the same metrics
    for point in points:
        config = point.config
        watched = config.data.kind, config.eval.grid, config.log.maps_every
        alike[str((*watched, config.data.options))] = config
    missing = [why for config in alike.values() if (why := unknown(metric, config))]
    if missing and (is_study or len(missing) == len(alike)):
        raise many.plan.fault("metric", missing[0])


def check_todo(todo: Sequence[Planned]) -> None:
    """Refuses runs whose text or weights are not there; ended ones need neither.

    Raises:
      ConfigError: with the faults of all runs, each once.
    """
    alike = {}  # a folder of texts is not looked through for each of a thousand runs
    for run in todo:
        config = run.point.config
        needs = config.data.path, config.train.weights, begun(run.path) is None
        alike[needs] = config, run.path
    _check(partial(check_files, *each) for each in alike.values())


def _check(checks: Iterable[Callable[[], None]]) -> None:
    found: dict[str, Fault] = {}
    for check in checks:
        try:
            check()
        except ConfigError as error:
            found |= {str(fault): fault for fault in error.faults}
    if found:
        raise ConfigError(found.values())
