"""The `attn` command: parse, call, exit."""

import difflib
import io
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from experiments.commands import (
    bench,
    compare,
    configs,
    doctor,
    exits,
    explain,
    inspect,
    learn,
    listing,
    look,
    plot,
    report,
    runs,
    sweep,
    train,
)
from experiments.manifest import version
from experiments.shipped import find_config

VERBS = {
    "train": (train.train, "attn train configs/tiny_lm.yaml optim.lr=3e-3"),
    "sweep": (sweep.sweep, "attn sweep my_sweep.yaml sweep.seeds=8"),
    "study": (sweep.study, "attn study configs/recall_study.yaml"),
    "report": (report.report, "attn report recall --out recall.html"),
    "compare": (compare.compare, "attn compare window full --best-of optim.lr"),
    "noise": (compare.noise, "attn noise my_config.yaml --seeds 8"),
    "resume": (train.resume, "attn resume tiny_lm train.budget=10min"),
    "eval": (look.evaluate, "attn eval tiny_lm --json"),
    "sample": (look.sample, 'attn sample tiny_lm --prompt "def main("'),
    "plot": (plot.plot, "attn plot tiny_lm --out loss.png"),
    "inspect": (inspect.inspect, "attn inspect tiny_lm --prompt 'def main('"),
    "walkthrough": (learn.walkthrough, 'attn walkthrough "the cat sat on the mat"'),
    "bench": (bench.bench, "attn bench attention --rivals torch"),
    "explain": (explain.explain, 'attn explain "causal & window(back=128)"'),
    "list": (listing.listing, "attn list masks"),
    "doctor": (doctor.doctor, "attn doctor"),
}
GROUPS = {"config": configs.app, "runs": runs.app}
DASHED = re.compile(r"--[a-z_]+(\.[a-z_]+)+=")

app = typer.Typer(
    help="Functional attention research in JAX: compose it, train it, look inside."
    " Start with `attn train` (a few minutes, no download), then `attn sample`.",
    epilog="Example: attn train configs/tiny_lm.yaml optim.lr=3e-3",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, (verb, example) in VERBS.items():
    app.command(name, epilog=f"Example: {example}")(verb)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"attn {version('attn') or '(not installed, run from its folder)'}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Options before the verb; `main` has taken --debug from wherever it stood."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # what it cannot write is a `?`
        sys.stdout.reconfigure(errors="replace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [each for each in words if each != "--debug"] or ["--help"]
    # `--optim.lr=1` is an override that habit gave dashes; no option has a dot.
    words = [each[2:] if DASHED.match(each) else each for each in words]
    if words[0] in ("train", "resume"):
        words = train.with_profile(words)
    try:
        check_verb(words[0])
        code = get_command(app).main(words, prog_name="attn", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else exits.DONE
    except (BrokenPipeError, SystemExit) as error:
        # `attn list | head`: nobody reads on, which is no error, though click and rich
        # make it an exit with code 1.
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        sys.stdout = None
        return exits.DONE
    except (Exception, KeyboardInterrupt) as error:
        return exits.report(error, debug)


def check_verb(word: str) -> None:
    """Refuses a first word that is no verb, with what was probably meant.

    Raises:
      UserError: one line.
    """
    known = [*VERBS, *GROUPS]
    if word.startswith("-") or word in known:
        return
    close = difflib.get_close_matches(word.lower(), known, n=1)
    if "=" in word or word.endswith((".yaml", ".yml")) or find_config(word).is_file():
        hint = f"Did you mean `attn train {word}`?"
    elif close:
        hint = f"Did you mean `attn {close[0]}`?"
    else:
        hint = f"The verbs are {', '.join(known)}."
    raise exits.UserError(
        f"attn: there is no verb `{exits.one_line(word, 60)}`. {hint}"
    )


if __name__ == "__main__":
    sys.exit(main())
