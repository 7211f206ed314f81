"""`attn noise`: one config with several seeds, trained like a sweep, and its spread."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.compare.noise import Noise, noise
from experiments.config.many import seeded
from experiments.errors import UserError
from experiments.metrics import unknown
from experiments.records import read_runs
from experiments.sweep.index import index_of
from experiments.sweep.verb import Asked, train_all


def noise_of(
    path: Path,
    overrides: Sequence[str],
    *,
    seeds: int,
    metric: str,
    differences: Sequence[float],
    root: Path,
    quiet: bool,
) -> tuple[int, Noise | None]:
    """Trains what is missing, and measures the noise of a metric.

    Args:
      path: the config file.
      overrides: `key=value` texts.
      seeds: how many, from 0.
      metric: whose noise.
      differences: which ones are to be seen; none takes shares of the mean.
      root: the folder of all runs.
      quiet: prints nothing.

    Returns:
      The exit code, and the noise unless the runs were stopped.

    Raises:
      UserError: no run will have the metric, or fewer than two were done.
    """
    many = seeded(path, overrides, seeds)
    if why := unknown(metric, many.base):
        raise UserError(f"attn noise --metric: {why}")
    code, _ = train_all(many, Asked(runs=root), quiet=quiet)
    if code == 75:
        return code, None
    records, _ = read_runs(index_of(many, many.points, root).runs())
    found = noise([x for x in records if x.status == "done"], metric, differences)
    show(found, Console(quiet=quiet, highlight=False))
    return code, found


def show(found: Noise, console: Console) -> None:
    """Prints what a reader wants to know."""
    got = found.estimate
    assert got.sd is not None
    lines = [
        f"{found.metric} over {got.n} seeds: {got.mean:.4f},"
        f" 95% interval {got.low:.4f} .. {got.high:.4f}",
        f"standard deviation of a run {got.sd:.4f},"
        f" 95% interval {found.sd_low:.4f} .. {found.sd_high:.4f}",
        "Seeds that each of two variants needs to see a difference"
        " (two-sided t test at 5%, power 80%, independent seeds):",
    ]
    for difference, seeds in found.needed:
        share = difference / abs(got.mean) if got.mean else float("nan")
        need = "more than 10,000" if seeds is None else str(seeds)
        lines.append(f"  {difference:.4g} ({share:.1%} of the mean): {need}")
    console.print("\n".join(lines), soft_wrap=True)
