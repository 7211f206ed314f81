"""The notation in a config, read by the library; the only file here that needs JAX."""

from experiments.config.errors import ConfigError, show
from experiments.config.schema import Config

KINDS = ("position", "mask", "logits", "normalizer", "similarity")  # keys are kinds


def check_notation(config: Config) -> None:
    """Refuses notation that the library cannot read, or that is of another kind.

    Raises:
      ConfigError: with one line for each field, at the place where it was written.
    """
    found = [(kind, _problem(kind, getattr(config.model, kind))) for kind in KINDS]
    faults = [config.model.fault(kind, what) for kind, what in found if what]
    if faults:
        raise ConfigError([each for error in faults for each in error.faults])


def _problem(kind: str, text: str) -> str | None:
    # Here, not above: a config with mistakes is refused before JAX is imported.
    from attn.spec.notation import parse

    try:
        piece = parse(text)
    except ValueError as error:
        return " ".join(str(error).split()).removeprefix("notation: ")
    if piece.kind == kind:
        return None
    return f"expected a {kind} piece, got {show(text)}, a {piece.kind} piece."
