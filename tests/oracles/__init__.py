"""Independent definitions in float64 NumPy: loops over pairs, slow and obvious, no JAX.

A mask is a function of a `Pair`, a logits piece one of (logit, pair), a similarity one
of (query vector, key vector), a normalizer one of a row (logits, allowed). They compose
as Python functions do.
"""

from tests.oracles.attention import Pair, attend, head_of
from tests.oracles.logits import *  # noqa: F403
from tests.oracles.masks import *  # noqa: F403
from tests.oracles.normalizers import *  # noqa: F403
from tests.oracles.positions import *  # noqa: F403
from tests.oracles.similarities import *  # noqa: F403

__all__ = ["Pair", "attend", "head_of"]
