"""Numbers as a reader says them."""

from experiments.bench.table import milliseconds


def took(seconds: float) -> str:
    """`2.65 s` from one second on, else as in the table: `12.30 ms`, `4.0 us`."""
    return f"{seconds:.2f} s" if 1 <= seconds < 10 else milliseconds(seconds)
