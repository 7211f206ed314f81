"""`attn report`: runs as one page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.commands.options import RUNS, AsJson, Runs, check_page
from experiments.errors import UserError
from experiments.find import PLAN, find_runs

if TYPE_CHECKING:
    from experiments.records import RunRecord

Study = tuple[str, dict[str, Any]] | None  # its title, and options of its page


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUNS]...",
            help="Runs, the starts of names, sweeps or folders of runs (default: all).",
        ),
    ] = None,
    runs: Runs = RUNS,
    out: Annotated[Path, typer.Option("--out", help="The page to write.")] = Path(
        "report.html"
    ),
    title: Annotated[
        str | None, typer.Option(help="Of the page.", show_default="by what is in it")
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(help="Also write the charts as PNG and SVG to this folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write runs as one HTML page that can be mailed: answer, curves, costs, texts."""
    check_page("attn report", out)
    if charts is not None and charts.is_file():
        raise UserError(f"attn report: --charts is a folder, and {charts} is a file.")
    paths = find_runs(names or [], runs)
    from experiments.records import read_runs  # late, for start-up time
    from experiments.report import write_report

    records, damaged = read_runs(paths)
    named = _study(names or [], runs)
    size = write_report(
        records,
        out,
        title=title or (named[0] if named else _title(names or [])),
        damaged=damaged,
        **(named[1] if named else {}),
    )
    drawn = _draw(records, charts, named) if charts is not None else []
    found = {
        "file": str(out),
        "bytes": size,
        "runs": [each.name for each in records],
        "left_out": {each.name: each.reason for each in damaged},
        "charts": [str(each) for each in drawn],
    }
    print(json.dumps(found) if as_json else _lines(found))


def _lines(found: dict[str, Any]) -> str:
    size, count = found["bytes"] / 1e6, len(found["runs"])
    left = [f"left out: {reason}" for reason in found["left_out"].values()]
    noun = "run" if count == 1 else "runs"
    page = f"{found['file']}: {count} {noun}, {size:.2f} MB"
    return "\n".join([*left, page, *found["charts"]])


def _title(names: list[str]) -> str:
    return ", ".join(Path(name).name for name in names[:3]) or "Report of all runs"


def _study(names: list[str], root: Path) -> Study:
    """The title of a study, and what it compares, if it alone is asked for."""
    if len(names) != 1:
        return None
    path = next(
        (p for p in (Path(names[0]), root / names[0]) if (p / PLAN).is_file()), None
    )
    if path is None:
        return None
    from experiments.compare.compare import compare  # late, for start-up time
    from experiments.compare.comparison import Asked
    from experiments.compare.members import find

    found = find([str(path)], root)
    index = found.index
    assert index is not None
    asked = Asked(index.title, index.metric, index.goal, index.reference or None)
    called = {m.record.name: (m.variant, m.task) for m in found.members}
    return index.title, {"comparison": compare(found, asked), "names": called}


def _draw(records: list["RunRecord"], folder: Path, named: Study) -> list[Path]:
    try:
        from experiments.report.charts import draw  # late: an extra
    except ImportError:
        raise UserError(
            "attn report --charts needs altair and vl-convert: pip install"
            " 'attn[plots]', or pip install -e '.[plots]' in a checkout."
        ) from None
    return draw(records, folder, **(named[1] if named else {}))
