"""What a mask is: a predicate on a site, combined by `& | ~ ^`, with a cover."""

import enum
from typing import Any, ClassVar

import jax.numpy as jnp

from attn.spec import drawing
from attn.spec.field import is_array, is_varying
from attn.spec.piece import Piece, piece
from attn.spec.site import Site

LARGEST = 2**31 - 1  # positions are int32
Known = tuple[int, int]  # lowest and highest position
Span = Known | None


class Cover(enum.IntEnum):
    """What a mask does to a rectangle of positions; Kleene's three values."""

    EMPTY = 0  # no pair is allowed
    SOME = 1  # unknown, always sound
    FULL = 2  # every pair is allowed


class Mask(Piece):
    """Base of the masks; True means: may attend."""

    kind = "mask"
    __array_ufunc__ = None  # NumPy would apply an operator to each number

    def allows(self, site: Site) -> Any:
        """Booleans that broadcast to [T, S]."""
        raise NotImplementedError

    def cover(self, query_span: Span, key_span: Span) -> Cover:
        """What the mask does to all pairs of two spans of positions.

        Args:
          query_span: (lowest, highest) position of the queries, or None if unknown.
          key_span: The same of the keys.

        Returns:
          EMPTY or FULL only if that is certain, else SOME.
        """
        if query_span is None or key_span is None or self._structure.children:
            return Cover.SOME  # unknown positions, or arrays that a trace may hold
        return self.decide(query_span, key_span)

    def decide(self, query_span: Known, key_span: Known) -> Cover:
        """`cover` of known spans, for a mask without arrays."""
        return Cover.SOME

    def __and__(self, other):
        if isinstance(self, Everything) and isinstance(other, Mask):
            return other
        if isinstance(other, Everything):
            return self
        return _combine(And, self, other)

    def __or__(self, other):
        return _combine(Or, self, other)

    def __xor__(self, other):
        return _combine(Xor, self, other)

    def __rand__(self, other):
        return _combine(And, other, self)

    __ror__ = __rxor__ = __rand__  # only ever reached to say what is wrong

    def __bool__(self):
        raise TypeError(
            f"{self!r}: a mask has no truth value; combine masks by & | ^ ~, "
            "not by and, or, not."
        )

    def __invert__(self):
        return self.inner if isinstance(self, Not) else Not(self)

    def draw(self, t: int = 16, s: int | None = None, *, at: Any = None) -> str:
        """A picture of the mask: a row for each query, a column for each key."""
        s = t if s is None else s
        for name, size in (("t", t), ("s", s)):
            check_whole("draw", name, size)
        return drawing.draw(self, t, s, at)

    def __str__(self):
        return drawing.sketch(self)


def _combine(operator, left: Any, right: Any):
    """Applies an associative operator, nested to the left whatever the brackets."""
    for side in (left, right):
        if isinstance(side, type) and issubclass(side, Mask):
            raise TypeError(f"`{side.name}` needs arguments; write {side.name}(...).")
        if is_array(side):
            raise TypeError("an array is no mask; write attn.dense(array).")
        if not isinstance(side, Mask):
            return NotImplemented
    if isinstance(right, _Binary) and isinstance(right, operator):
        left, right = _combine(operator, left, right.left), right.right
    return operator(left, right)


class _Binary(Mask):
    """Two masks and an operator; `strength` is how tightly Python binds it."""

    symbol: ClassVar[str] = ""
    strength: ClassVar[int] = 0
    left: Any
    right: Any

    def __repr__(self):
        left, right = (
            f"({x!r})"
            if isinstance(x, _Binary) and x.strength < self.strength
            else repr(x)
            for x in (self.left, self.right)
        )
        return f"{left} {self.symbol} {right}"


@piece("and")
class And(_Binary):
    """Both masks allow the pair."""

    left: Any
    right: Any
    symbol, strength = "&", 3

    def allows(self, site):
        return self.left.allows(site) & self.right.allows(site)

    def cover(self, query_span, key_span):
        return min(x.cover(query_span, key_span) for x in (self.left, self.right))


@piece("or")
class Or(_Binary):
    """At least one of the masks allows the pair."""

    left: Any
    right: Any
    symbol, strength = "|", 1

    def allows(self, site):
        return self.left.allows(site) | self.right.allows(site)

    def cover(self, query_span, key_span):
        return max(x.cover(query_span, key_span) for x in (self.left, self.right))


@piece("xor")
class Xor(_Binary):
    """Exactly one of the masks allows the pair."""

    left: Any
    right: Any
    symbol, strength = "^", 2

    def allows(self, site):
        return self.left.allows(site) ^ self.right.allows(site)

    def cover(self, query_span, key_span):
        left = self.left.cover(query_span, key_span)
        right = self.right.cover(query_span, key_span)
        if Cover.SOME in (left, right):
            return Cover.SOME
        return Cover.EMPTY if left == right else Cover.FULL


@piece("not")
class Not(Mask):
    """The mask does not allow the pair."""

    inner: Any

    def allows(self, site):
        return ~self.inner.allows(site)

    def cover(self, query_span, key_span):
        return Cover(2 - self.inner.cover(query_span, key_span))

    def __repr__(self):
        bracket = isinstance(self.inner, _Binary)
        return f"~({self.inner!r})" if bracket else f"~{self.inner!r}"


@piece("everything")
class Everything(Mask):
    """Every pair is allowed; the neutral mask."""

    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762"

    def allows(self, site):
        return jnp.ones((1, 1), bool)

    def cover(self, query_span, key_span):
        return Cover.FULL


def check_whole(
    name: str, field: str, value: Any, least: int = 0, most: int = LARGEST
) -> None:
    """A static number must be whole, from `least` to `most`; arrays are trusted."""
    if is_array(value) or is_varying(value):
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name}: `{field}` must be a whole number of at least {least}, "
            f"got {value!r}."
        )
    if value > most:
        raise ValueError(
            f"{name}: `{field}` must be a whole number of at most {most}, "
            f"got {value!r}."
        )


def between(low: int, high: int, least: float, most: float) -> Cover:
    """Cover of `least <= x <= most` for x anywhere from low to high."""
    if high < least or low > most:
        return Cover.EMPTY
    return Cover.FULL if least <= low and high <= most else Cover.SOME
