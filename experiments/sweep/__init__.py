"""Many runs of one config: planned, computed together where that is faster, resumed.

A sweep is a set of ordinary configs. Each has the run directory that `attn train` would
give it, so that done runs are skipped and a sweep that was stopped goes on.
"""
