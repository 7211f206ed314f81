"""Numbers as a reader says them."""


def took(seconds: float) -> str:
    """`12.3 s`, `2.65 s`, `12.30 ms` or `4.0 us`."""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.1f} us"
    if seconds < 1:
        return f"{1e3 * seconds:.2f} ms"
    return f"{seconds:.{2 if seconds < 10 else 1}f} s"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`; `many` is the plural where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
