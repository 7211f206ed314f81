"""The masks by name: which pairs of query and key count."""

from typing import Any, ClassVar

import numpy as np

from attn.spec.mask import Cover, Everything, Mask, between, check_whole
from attn.spec.patterns import Blocks, Dense, Predicate, RandomBlocks
from attn.spec.piece import piece


@piece("causal")
class Causal(Mask):
    """A query sees itself and every earlier key.

    key_pos <= query_pos

    Reference:
      Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762.
    """

    positional = True
    reference: ClassVar[str] = "Vaswani et al. 2017, section 3.2.3, arXiv 1706.03762"

    def allows(self, site):
        return site.key_pos <= site.query_pos

    def decide(self, query_span, key_span):
        (q_low, q_high), (k_low, k_high) = query_span, key_span
        return between(k_low - q_high, k_high - q_low, -np.inf, 0)


@piece("window")
class Window(Mask):
    """Keys at most `back` before and `ahead` after the query, itself not counted.

    -back <= key_pos - query_pos <= ahead; None is unlimited on that side.

    Reference:
      Beltagy et al. 2020, section 3.1, arXiv 2004.05150.
    """

    back: Any = None
    ahead: Any = None
    positional = True
    numbers = ("back", "ahead")
    reference: ClassVar[str] = "Beltagy et al. 2020, section 3.1, arXiv 2004.05150"

    def validate(self):
        for field in ("back", "ahead"):
            if getattr(self, field) is not None:
                check_whole("window", field, getattr(self, field))
        if self.back is None and self.ahead is None:
            raise ValueError(
                "window: expected `back=` or `ahead=` (keys before or after the query, "
                "itself not counted), got neither; for no limit use `everything`."
            )

    def allows(self, site):
        ahead = site.key_pos - site.query_pos
        near = ahead <= self.ahead if self.ahead is not None else None
        if self.back is None:
            return near
        # So that -2^31, for a place that holds no key yet, is behind every window.
        far = site.key_pos >= site.query_pos - self.back
        return far if near is None else far & near

    def decide(self, query_span, key_span):
        (q_low, q_high), (k_low, k_high) = query_span, key_span
        least = -np.inf if self.back is None else -self.back
        most = np.inf if self.ahead is None else self.ahead
        return between(k_low - q_high, k_high - q_low, least, most)


@piece("prefix")
class Prefix(Mask):
    """The first `length` positions see each other, both ways.

    query_pos < length and key_pos < length; a prefix LM is `causal | prefix(length)`.

    Reference:
      Raffel et al. 2020, section 3.2.1, arXiv 1910.10683.
    """

    length: Any
    positional = True
    numbers = ("length",)
    reference: ClassVar[str] = "Raffel et al. 2020, section 3.2.1, arXiv 1910.10683"

    def validate(self):
        check_whole("prefix", "length", self.length)

    def allows(self, site):
        return (site.query_pos < self.length) & (site.key_pos < self.length)

    def decide(self, query_span, key_span):
        return min(
            between(*span, -np.inf, self.length - 1) for span in (query_span, key_span)
        )


@piece("first")
class First(Mask):
    """Every query sees the first `count` keys (attention sinks).

    key_pos < count; StreamingLLM is `causal & (first(4) | window(back=1024))`.

    Reference:
      Xiao et al. 2023, section 3.2, arXiv 2309.17453.
    """

    count: Any
    positional = True
    numbers = ("count",)
    reference: ClassVar[str] = "Xiao et al. 2023, section 3.2, arXiv 2309.17453"

    def validate(self):
        check_whole("first", "count", self.count)

    def allows(self, site):
        return site.key_pos < self.count

    def decide(self, query_span, key_span):
        return between(*key_span, -np.inf, self.count - 1)


@piece("segments")
class Segments(Mask):
    """A query sees the keys of its own document (packed sequences).

    query segment == key segment, from `at=attn.at(segment=[T])`.

    Reference:
      Krell et al. 2021, section 3.2, arXiv 2107.02027.
    """

    needs = ("segment",)
    reference: ClassVar[str] = "Krell et al. 2021, section 3.2, arXiv 2107.02027"

    def allows(self, site):
        return site.query["segment"] == site.key["segment"]


@piece("dilated")
class Dilated(Mask):
    """Keys at distances that are multiples of `step`.

    (query_pos - key_pos) % step == 0

    Reference:
      Child et al. 2019, section 4.2, arXiv 1904.10509 (strided attention).
    """

    step: Any
    positional = True
    numbers = ("step",)
    reference: ClassVar[str] = "Child et al. 2019, section 4.2, arXiv 1904.10509"

    def validate(self):
        check_whole("dilated", "step", self.step, 1)

    def allows(self, site):
        return (site.query_pos - site.key_pos) % self.step == 0

    def decide(self, query_span, key_span):
        low, high = query_span[0] - key_span[1], query_span[1] - key_span[0]
        if low == high or self.step == 1:
            return Cover.EMPTY if low % self.step else Cover.FULL
        return Cover.SOME if low <= high // self.step * self.step else Cover.EMPTY


@piece("chunked")
class Chunked(Mask):
    """Positions are cut into chunks of `size`; a query sees its own chunk.

    query_pos // size == key_pos // size

    Reference:
      Parmar et al. 2018, section 3.2, arXiv 1802.05751; Meta 2025, Llama 4.
    """

    size: Any
    positional = True
    numbers = ("size",)
    reference: ClassVar[str] = "Parmar et al. 2018, section 3.2, arXiv 1802.05751"

    def validate(self):
        check_whole("chunked", "size", self.size, 1)

    def allows(self, site):
        return site.query_pos // self.size == site.key_pos // self.size

    def decide(self, query_span, key_span):
        (q_low, q_high), (k_low, k_high) = (
            [x // self.size for x in span] for span in (query_span, key_span)
        )
        if q_high < k_low or k_high < q_low:
            return Cover.EMPTY
        return Cover.FULL if q_low == q_high == k_low == k_high else Cover.SOME


@piece("global_tokens")
class GlobalTokens(Mask):
    """The first `count` positions see everything and are seen by everything.

    query_pos < count or key_pos < count

    Reference:
      Beltagy et al. 2020, section 3.1, arXiv 2004.05150 (global attention).
    """

    count: Any
    positional = True
    numbers = ("count",)
    reference: ClassVar[str] = "Beltagy et al. 2020, section 3.1, arXiv 2004.05150"

    def validate(self):
        check_whole("global_tokens", "count", self.count)

    def allows(self, site):
        return (site.query_pos < self.count) | (site.key_pos < self.count)

    def decide(self, query_span, key_span):
        return max(
            between(*span, -np.inf, self.count - 1) for span in (query_span, key_span)
        )


MASKS = {
    "everything": Everything(),
    "causal": Causal(),
    "window": Window,
    "prefix": Prefix,
    "segments": Segments(),
    "first": First,
    "dilated": Dilated,
    "chunked": Chunked,
    "global_tokens": GlobalTokens,
    "random_blocks": RandomBlocks,
    "blocks": Blocks,
    "dense": Dense,
    "predicate": Predicate,
}
