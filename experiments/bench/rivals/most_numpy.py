"""Ceilings by NumPy, into arrays that are there."""

import numpy as np

from experiments.bench.contender import Arrays, Contender, Refused
from experiments.bench.work import CeilingWork, normal


def most(work: CeilingWork, given: Arrays) -> Contender:
    """One of the kinds of `experiments.bench.ceilings`."""
    del given
    if work.kind == "dispatch":
        raise Refused("it dispatches nothing")
    function, shapes, out = {
        "matmul": (np.matmul, [(1024, 1024)] * 2, (1024, 1024)),
        "batched": (np.matmul, [(16, 512, 64), (16, 64, 512)], (16, 512, 512)),
        "copy": (np.positive, [(64 * 2**20,)], (64 * 2**20,)),
        "exp": (np.exp, [(2**16,)], (2**16,)),
    }[work.kind]
    args = [normal(1, shape, n)[0] for n, shape in enumerate(shapes)]
    result = np.empty(out, np.float32)
    return Contender(lambda: function(*args, out=result), outputs=list)
