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
    drawn = (normal(1, shape, n)[0] for n, shape in enumerate(work.shapes()))
    args = [torch.from_numpy(each) for each in drawn]
    if work.kind == "copy":
        other = torch.empty_like(args[0])
        return Contender(lambda: other.copy_(args[0]), outputs=list)
    function = {"matmul": torch.matmul, "batched": torch.matmul, "exp": torch.exp}[
        work.kind
    ]
    result = function(*args)
    return Contender(lambda: function(*args, out=result), outputs=list)
