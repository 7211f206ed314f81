"""The logits pieces by name: what happens to a logit before the mask."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from attn import numerics
from attn.spec.logit import Identity, Logits, check_number, known, learned_scalar
from attn.spec.patterns import recalled, repr_function, returned, set_function
from attn.spec.piece import piece
from attn.spec.relative import T5, Alibi


@piece("scale")
class Scale(Logits):
    """Multiplies the logits by a number, fixed or learned.

    logits * by; `by="learned"` starts at 1 and is one number a head.

    Reference:
      Henry et al. 2020, section 3, arXiv 2010.04245 (learned scale).
    """

    by: Any
    numbers = ("by",)
    reference: ClassVar[str] = "Henry et al. 2020, section 3, arXiv 2010.04245"

    def validate(self):
        check_number(self, "by")

    def own_parameters(self, num_heads):
        return learned_scalar(self.by, "by", num_heads, 1.0)

    def apply(self, logits, site):
        return logits * known(self, "by", logits.dtype)


@piece("log_length")
class LogLength(Logits):
    """Multiplies the logits of a query by the log of how many keys came before.

    logits * by * log(query_pos + 1), so that attention stays as sharp in long
    sequences; `by="learned"` is one number a head and starts at 0.43.

    Reference:
      Nakanishi 2025, section 3, arXiv 2501.19399 (scalable softmax).
    """

    by: Any = 1.0
    positional = True
    numbers = ("by",)
    reference: ClassVar[str] = "Nakanishi 2025, section 3, arXiv 2501.19399"

    def validate(self):
        check_number(self, "by")

    def own_parameters(self, num_heads):
        # 0.43 is what the paper's learned values settle at, as its authors report.
        return learned_scalar(self.by, "by", num_heads, 0.43)

    def apply(self, logits, site):
        length = jnp.log1p(jnp.maximum(site.query_pos, 0).astype(logits.dtype))
        return logits * (known(self, "by", logits.dtype) * length)


@piece("softcap")
class Softcap(Logits):
    """Keeps logits smoothly between -cap and cap.

    cap * tanh(logits / cap)

    Reference:
      Gemma team 2024, section 2, arXiv 2408.00118.
    """

    cap: Any
    numbers = ("cap",)
    reference: ClassVar[str] = "Gemma team 2024, section 2, arXiv 2408.00118"

    def validate(self):
        check_number(self, "cap", positive=True)

    def apply(self, logits, site):
        cap = jnp.asarray(self.cap, logits.dtype)
        return cap * jnp.tanh(logits / cap)


@piece("decay")
class Decay(Logits):
    """Forgets: adds the log gates between key and query, as running sums.

    logits + query[t] - key[s], with query = key = cumsum(log gate), so that the pair
    gets the sum of the log gates after the key up to the query.

    Reference:
      Lin et al. 2025, section 3, arXiv 2503.02130 (forgetting transformer).
    """

    query: Any
    key: Any
    indexed: ClassVar = {"query": ("query",), "key": ("key",)}
    reference: ClassVar[str] = "Lin et al. 2025, section 3, arXiv 2503.02130"

    def apply(self, logits, site):
        query = jnp.asarray(self.query, logits.dtype)[:, None]
        return logits + (query - jnp.asarray(self.key, logits.dtype)[None])


@piece("bias")
class Bias(Logits):
    """Adds an array [T, S], indexed by storage order, not by position.

    logits + array; an axis of length 1 is broadcast.

    Reference:
      Raffel et al. 2020, section 2.1, arXiv 1910.10683 (additive bias).
    """

    array: Any
    indexed: ClassVar = {"array": ("query", "key")}
    reference: ClassVar[str] = "Raffel et al. 2020, section 2.1, arXiv 1910.10683"

    def apply(self, logits, site):
        return logits + jnp.asarray(self.array, logits.dtype)


@piece("fn")
class Fn(Logits):
    """Any function with arrays of its own: `f(logits, site, **arrays) -> logits`.

    `fn(lambda logits, site, slope: logits - slope * site.distance, slope=0.1)`. It is
    called with some of the queries and keys at a time, and must give each pair its
    number from that pair alone; arrays are in the dtype of the logits. A result [1, S],
    [T, 1] or a number is broadcast. Define the function once: each new function object
    is traced anew.

    Reference:
      Dong et al. 2024, section 3, arXiv 2412.05496 (FlexAttention's score_mod).
    """

    function: Callable[..., Any]
    arrays: Any
    positional = True
    opaque = True
    reference: ClassVar[str] = "Dong et al. 2024, section 3, arXiv 2412.05496"

    def __init__(self, function, /, **arrays):
        set_function(self, function, arrays)

    def __call__(self, *function, **arrays):
        return recalled(self, function, arrays)

    def __repr__(self):
        return repr_function(self)

    def apply(self, logits, site):
        arrays, site = numerics.cast_floats((self.arrays, site), logits.dtype)

        def bend(logits, site):
            result = self.function(logits, site, **arrays)
            result = returned(self, result, logits.shape)
            return jnp.broadcast_to(result, logits.shape).astype(logits.dtype)

        return site.by_query(bend, logits)


LOGITS = {
    "identity": Identity(),
    "scale": Scale,
    "log_length": LogLength(),
    "softcap": Softcap,
    "alibi": Alibi(),
    "t5": T5(),
    "decay": Decay,
    "bias": Bias,
    "fn": Fn,
}
