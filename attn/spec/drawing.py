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
LARGEST = 64  # of a mask of given size; a terminal is as wide
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
    try:
        picture = _picture(one_head(mask))
    except Exception as error:  # a picture must never be what breaks a print
        picture = f"(no picture: {error})"
    return f"{mask!r}\n{picture}"


def _picture(mask: "Mask") -> str:
    """The first queries and keys of a mask for one head."""
    lengths = _lengths(mask)
    t, s = (min(length, LARGEST) for length in lengths)
    query, key = np.arange(t), np.arange(s)
    thirds = [{"segment": x * 3 // len(x)} for x in (query, key)]  # to show documents
    picture = draw(_cut(mask, t, s), t, s, At(query, key, *thirds))
    if (t, s) == lengths:
        return picture
    return f"{picture}\n(the first {t} x {s} of {lengths[0]} x {lengths[1]})"


def _cut(mask: Piece, t: int, s: int) -> Any:
    """A mask with its arrays that queries and keys index cut to the first of them."""
    sizes = {"query": t, "key": s}
    changes = {name: _cut(inner, t, s) for name, inner in mask.pieces().items()}
    for name, axes in mask.indexed.items():
        changes[name] = getattr(mask, name)[tuple(slice(sizes[x]) for x in axes)]
    return mask.replace(**changes)


def _lengths(mask: "Mask") -> tuple[int, int]:
    """How many queries and keys the arrays inside are for, or `SKETCH` of each."""
    longest = {"query": 0, "key": 0}
    for inner in mask.walk():
        for name, axes in inner.indexed.items():
            for axis, size in zip(axes, np.shape(getattr(inner, name)), strict=True):
                longest[axis] = max(longest[axis], size)
    t, s = longest.values()
    if not (t or s):
        return SKETCH, SKETCH
    return (t if t > 1 else s), (s if s > 1 else t)  # a single one is broadcast
