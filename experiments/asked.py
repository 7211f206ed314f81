"""What a user may ask of a trained model, by its kind; imports nothing heavy."""

from dataclasses import asdict, dataclass

from experiments.errors import UserError


@dataclass(frozen=True)
class Asked:
    """What to answer and how; None is as the run's config says.

    Args:
      prompt: what the text begins with, what is translated, what is classified.
      length: tokens to draw.
      temperature: divides the logits; 0 takes the likeliest token.
      top_k: draw among the k likeliest.
      top_p: among the likeliest that together have this probability.
      seed: of the drawing.
      beam: beginnings of an answer that go on; 1 is greedy.
      length_penalty: favours longer answers of a beam.
    """

    prompt: str | None = None
    length: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    beam: int | None = None
    length_penalty: float | None = None


# What means something for a kind of model, and how it answers.
MEANT = {
    "decoder": (
        {"length", "temperature", "top_k", "top_p", "seed"},
        "draws token after token",
    ),
    "seq2seq": ({"beam", "length_penalty"}, "gives the likeliest answer"),
    "classifier": (set(), "gives the probability of each class"),
}


def check_asked(asked: Asked, kind: str) -> None:
    """Refuses what means nothing for a kind of model.

    Raises:
      UserError: naming the option, and how such a model answers.
    """
    meant, how = MEANT[kind]
    for name, value in asdict(asked).items():
        if name != "prompt" and value is not None and name not in meant:
            known = ", ".join(f"--{each.replace('_', '-')}" for each in sorted(meant))
            raise UserError(
                f"attn sample: --{name.replace('_', '-')} means nothing for a {kind},"
                f" which {how}; leave it out{f' (it takes {known})' if known else ''}."
            )
