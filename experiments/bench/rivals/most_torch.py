"""Ceilings by torch, into tensors that are there."""

import torch

from experiments.bench.contender import Arrays, Contender, Refused, cores
from experiments.bench.work import CeilingWork, normal


def most(work: CeilingWork, given: Arrays) -> Contender:
    """One of the kinds of `experiments.bench.ceilings`."""
    del given
    if work.kind == "dispatch":
        raise Refused("it dispatches nothing")
    torch.set_num_threads(cores())
    function, shapes, out = {
        "matmul": (torch.matmul, [(1024, 1024)] * 2, (1024, 1024)),
        "batched": (torch.matmul, [(16, 512, 64), (16, 64, 512)], (16, 512, 512)),
        "copy": (torch.positive, [(64 * 2**20,)], (64 * 2**20,)),
        "exp": (torch.exp, [(2**16,)], (2**16,)),
    }[work.kind]
    args = [torch.from_numpy(normal(1, shape, n)[0]) for n, shape in enumerate(shapes)]
    result = torch.empty(out)
    if work.kind == "copy":
        return Contender(lambda: result.copy_(args[0]), outputs=list)
    return Contender(lambda: function(*args, out=result), outputs=list)
