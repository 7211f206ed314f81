"""`attn walkthrough`: see attention work."""

from typing import Annotated

import typer

from experiments.commands.options import AsJson
from experiments.config.fields import LARGEST

SENTENCE = "the cat sat on the mat"


def walkthrough(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="A sentence, in quotes or not.", show_default=SENTENCE),
    ] = None,
    mask: Annotated[
        str,
        typer.Option("--mask", "--spec", help="Notation; see `attn list masks`."),
    ] = "everything",
    heads: Annotated[int, typer.Option(help="Number of heads, divides 8.")] = 2,
    head: Annotated[int, typer.Option(help="Which head to show, from 0.")] = 0,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST, help="Draws the linear maps.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Show every step of attention on a sentence, with its numbers."""
    from experiments.walkthrough import main  # late: it imports JAX

    sentence = " ".join(words or [SENTENCE])
    main(sentence, spec=mask, heads=heads, head=head, seed=seed, as_json=as_json)
