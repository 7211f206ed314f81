"""What only the library can check in a config; this and `foresight` need JAX."""

from experiments.config.errors import ConfigError, nearest, show
from experiments.config.fields import FILES
from experiments.config.foresight import check_foresight
from experiments.config.schema import LANGUAGE, Config

# Key of `model` to the kind of piece that it holds; any attention where that is None.
KINDS = {
    "position": "position",
    "mask": "mask",
    "encoder_mask": "mask",
    "cross": None,
    "cross_position": "position",
    "logits": "logits",
    "normalizer": "normalizer",
    "similarity": "similarity",
}


def check_notation(config: Config) -> None:
    """Refuses notation that the library cannot read, or that is of another kind.

    And a mask by which a language model of text would see what it is to predict.

    Raises:
      ConfigError: with one line for each field, at the place where it was written.
    """
    found = {key: _problem(KINDS[key], getattr(config.model, key)) for key in KINDS}
    found["backend"] = _unknown_backend(config.model.backend)
    found["mask"] = found["mask"] or _no_documents(config)
    errors = [config.model.fault(key, what) for key, what in found.items() if what]
    if errors:
        raise ConfigError([fault for error in errors for fault in error.faults])
    check_foresight(config)


def _problem(kind: str | None, text: str) -> str | None:
    # Here, not above: a config with mistakes is refused before JAX is imported.
    from attn.spec.attention import as_attention
    from attn.spec.notation import parse

    try:
        piece = parse(text)
        if kind is None:
            as_attention(piece)
            return None
    except ValueError as error:
        return " ".join(str(error).split()).removeprefix("notation: ")
    if getattr(piece, "kind", "") == kind:
        return None
    what = getattr(piece, "kind", type(piece).__name__)
    return f"expected a {kind} piece, got {show(text)}, of kind {what}."


def _no_documents(config: Config) -> str | None:
    from attn.spec.notation import parse  # here for the same reason

    data = config.data
    if config.model.kind not in LANGUAGE or data.documents is not None:
        return None
    if "segment" not in parse(config.model.mask).needs_data():
        return None
    if data.kind != "text":
        return f"keeps documents apart, and task {data.kind} has none; remove segments."
    return (
        "keeps documents apart, and the text has none; set data.documents, for example"
        f" to {FILES}, or remove segments."
    )


def _unknown_backend(name: str) -> str | None:
    from attn.backends.dispatch import BACKENDS  # here for the same reason

    known = ["auto", *BACKENDS]
    if name in known:
        return None
    text = f"expected one of {', '.join(known)}, got {show(name)}."
    close = nearest(name, known)
    return f"{text} Did you mean `{close}`?" if close else text
