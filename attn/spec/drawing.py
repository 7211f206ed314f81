"""Pictures of masks, in text."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from attn.spec.field import is_varying
from attn.spec.piece import Piece
from attn.spec.site import At, resolve, whole

if TYPE_CHECKING:
    from attn.spec.mask import Mask

SKETCH = 16  # queries and keys of the small picture that print() gives
SEEN, HIDDEN = "█", "·"


def draw(mask: "Mask", t: int, s: int, at: At | None = None) -> str:
    """A row for each query, a column for each key; a block where it may attend."""
    return "\n".join(
        " ".join(SEEN if x else HIDDEN for x in row) for row in table(mask, t, s, at)
    )


def table(mask: "Mask", t: int, s: int, at: At | None = None) -> np.ndarray:
    """The mask's booleans [T, S]; of per-head arrays, head 0."""
    mask = one_head(mask)
    mask.check(t, s)
    # NumPy in, NumPy out: a picture must not cost a compilation.
    site = jax.tree.map(np.asarray, whole(resolve(at, t, s, mask)))
    return np.broadcast_to(np.asarray(mask.allows(site)), (t, s))


def one_head(piece: Piece) -> Any:
    """The piece of the first head of the first batch element."""

    def first(leaf: Any) -> Any:
        return first(leaf.value)[0] if is_varying(leaf) else leaf

    return jax.tree.map(first, piece, is_leaf=is_varying)


def sketch(mask: "Mask") -> str:
    """What `print(mask)` shows: the notation, and a picture where one can be drawn."""
    size = _size(mask)
    thirds = np.arange(size) * 3 // size  # documents to show segments with
    data = {"segment": thirds}
    try:
        picture = draw(mask, size, size, At(None, None, data, data))
    except Exception as error:  # a picture must never be what breaks a print
        return f"{mask!r}\n(no picture: {error})"
    return f"{mask!r}\n{picture}"


def _size(mask: "Mask") -> int:
    sizes = [
        max(array.shape)
        for inner in mask.walk()
        for array in (getattr(inner, name) for name in inner.indexed)
        if hasattr(array, "shape")
    ]
    return max(sizes, default=SKETCH)
