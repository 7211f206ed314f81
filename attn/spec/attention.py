"""`Attention`, and what may stand for one."""

from typing import Any

from attn.spec.dropout import Dropout
from attn.spec.field import is_array
from attn.spec.mechanism import KINDS, Attention
from attn.spec.notation import parse
from attn.spec.piece import Piece

__all__ = ["KINDS", "Attention", "as_attention", "dropout"]

dropout = Dropout()


def as_attention(spec: Any) -> Attention:
    """An `Attention` from whatever may stand for one.

    Args:
      spec: An `Attention`, a single piece, a tuple of pieces of different kinds, or
        notation.

    Returns:
      The `Attention`; kinds that are not given have their defaults.

    Raises:
      ValueError: Nothing of the kind; the message says what was expected.
    """
    if isinstance(spec, str):
        spec = parse(spec)
    if isinstance(spec, Attention):
        return spec
    if isinstance(spec, type) and issubclass(spec, Piece):
        raise ValueError(
            f"attention: `{spec.name}` needs arguments; write {spec.name}(...)."
        )
    pieces: tuple[Any, ...] = spec if isinstance(spec, tuple) else (spec,)
    if not pieces or not all(isinstance(x, Piece) for x in pieces):
        got = repr(spec)
        if is_array(spec):  # whose numbers would fill the screen
            got = "an array; as a mask it is attn.dense(array)"
        raise ValueError(
            "attention: expected an Attention, a piece such as attn.causal, or "
            f"notation, got {got}."
        )
    return Attention.of(*pieces)
