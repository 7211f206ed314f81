"""A whole attention mechanism: one piece of each kind."""

from typing import Any, ClassVar

from attn.spec.dropout import Dropout
from attn.spec.logit import Identity, Logits
from attn.spec.mask import Everything, Mask
from attn.spec.normalizers import Normalizer, Softmax
from attn.spec.piece import Piece, piece
from attn.spec.similarity import Dot, Similarity

KINDS: dict[str, type] = {
    "similarity": Similarity,
    "logits": Logits,
    "mask": Mask,
    "normalizer": Normalizer,
    "dropout": Dropout,
}


@piece("Attention", "attention", kw_only=True)
class Attention(Piece):
    """What to compute: similarity, logits, mask, normalizer, dropout, in that order.

    output = dropout(normalizer(mask(logits(similarity(query, key))))) @ value

    Args:
      similarity: How a query and a key get a number.
      logits: What happens to the number before the mask.
      mask: Which pairs count.
      normalizer: From logits to weights.
      dropout: Which weights are dropped while training, where an `rng` is given.

    Raises:
      ValueError: A field holds a piece of another kind.

    Reference:
      Vaswani et al. 2017, section 3.2, arXiv 1706.03762.
    """

    similarity: Any = Dot()
    logits: Any = Identity()
    mask: Any = Everything()
    normalizer: Any = Softmax()
    dropout: Any = Dropout()
    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.2, arXiv 1706.03762"

    def validate(self):
        for slot, kind in KINDS.items():
            value = getattr(self, slot)
            if isinstance(value, kind):
                continue
            article = f"a {slot} piece"
            if isinstance(value, type) and issubclass(value, Piece):
                got = f"`{value.name}` without its arguments; write {value.name}(...)"
            elif isinstance(value, Piece):
                got = f"`{value!r}`, a {value.kind} piece; write {value.kind}=..."
            else:
                got = f"{value!r}; for notation write attn.parse(...)"
            raise ValueError(f"Attention: `{slot}` must be {article}, got {got}.")

    @classmethod
    def of(cls, *pieces: Piece) -> "Attention":
        """An Attention of some pieces, at most one of each kind.

        Raises:
          ValueError: Two pieces of one kind, or a piece that fills no slot.
        """
        slots: dict[str, Piece] = {}
        for one in pieces:
            kind = getattr(one, "kind", "")
            if not isinstance(one, Piece) or kind not in KINDS:
                raise ValueError(f"Attention: {one!r} is no part of an attention.")
            if kind in slots:
                raise ValueError(
                    f"Attention: two {kind} pieces, `{slots[kind]!r}` and `{one!r}`; "
                    "join them with & | ^ (masks) or >> (logits)."
                )
            slots[kind] = one
        return cls(**slots)
