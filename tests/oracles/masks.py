"""Masks: a pair to a bool. Sets of keys are spelled out where that is clearer."""

__all__ = [
    "blocks",
    "both",
    "causal",
    "chunked",
    "dense",
    "dilated",
    "either",
    "everything",
    "first",
    "global_tokens",
    "negate",
    "one_of",
    "prefix",
    "random_blocks",
    "segments",
    "window",
]  # fmt: skip


def everything():
    return lambda pair: True


def causal():
    return lambda pair: pair.j in range(pair.i + 1) if pair.j >= 0 else pair.j <= pair.i


def window(back=None, ahead=None):
    def allows(pair):
        if pair.j < pair.i:
            return back is None or pair.i - pair.j <= back
        return pair.j == pair.i or ahead is None or pair.j - pair.i <= ahead

    return allows


def prefix(length):
    return lambda pair: pair.i < length and pair.j < length


def first(count):
    return lambda pair: pair.j < count


def segments():
    return lambda pair: pair.query["segment"] == pair.key["segment"]


def dilated(step):
    return lambda pair: abs(pair.i - pair.j) in range(0, 10**6, step)


def chunked(size):
    def chunk(position):
        number = 0
        while position >= size:
            position, number = position - size, number + 1
        return number

    return lambda pair: chunk(pair.i) == chunk(pair.j)


def global_tokens(count):
    return lambda pair: pair.i < count or pair.j < count


def _mix(bits):
    bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return bits ^ (bits >> 16)


def random_blocks(rate, size, seed):
    def allows(pair):
        hashed = _mix((seed * 0x9E3779B1) & 0xFFFFFFFF)
        bits = _mix((pair.i // size * 0x9E3779B1) & 0xFFFFFFFF ^ hashed)
        bits = _mix((bits + pair.j // size) & 0xFFFFFFFF)
        return (bits >> 8) / 2**24 < rate

    return allows


def blocks(table, size):
    def allows(pair):
        row, col = pair.i // size, pair.j // size
        return row < len(table) and col < len(table[0]) and bool(table[row][col])

    return allows


def dense(array):
    rows, cols = array.shape
    return lambda pair: bool(array[pair.row % rows, pair.col % cols])


def both(left, right):
    return lambda pair: left(pair) and right(pair)


def either(left, right):
    return lambda pair: left(pair) or right(pair)


def one_of(left, right):
    return lambda pair: left(pair) != right(pair)


def negate(inner):
    return lambda pair: not inner(pair)
