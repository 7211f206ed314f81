"""What stands in an optimized program: operations by kind, and the largest buffer."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) .*\{\s*$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.-]+) = (.*)$")
OPCODE = re.compile(r"(?:^|\s)([a-z][a-z0-9-]*)\(")
SHAPE = re.compile(r"\b([a-z]+[0-9]*(?:e[0-9]+m[0-9]+\w*)?)\[([0-9,]*)\]")
CALLS = re.compile(r"\bfusion\(.*\bcalls=%?([\w.-]+)")
CALLED = re.compile(r'custom_call_target="([^"]+)"')
BITS = re.compile(r"[0-9]+")

# What a reader asks for first -> the opcodes that count.
KINDS = {
    "dots": ("dot", "convolution"),
    "fusions": ("fusion",),
    "copies": ("copy", "copy-start"),
    "transposes": ("transpose",),
    "loops": ("while",),
    "custom calls": ("custom-call",),
}


class Instruction(NamedTuple):
    """A line of a program: where it stands, what it does, the bytes of its result."""

    computation: str
    name: str
    opcode: str
    bytes: int
    text: str


def instructions(program: str) -> Iterator[Instruction]:
    """The lines of an HLO text."""
    computation = ""
    for line in program.splitlines():
        if found := COMPUTATION.match(line):
            computation = found[1]
        elif (found := INSTRUCTION.match(line)) and (opcode := OPCODE.search(found[2])):
            shape = found[2][: opcode.start()]
            size = sum(_bytes(*each) for each in SHAPE.findall(shape))
            yield Instruction(computation, found[1], opcode[1], size, found[2])


def _bytes(dtype: str, sizes: str) -> int:
    bits = 8 if dtype == "pred" else int((BITS.search(dtype) or ["32"])[0])
    return math.prod(int(n) for n in sizes.split(",") if n) * bits // 8


def counted(program: str) -> dict[str, int]:
    """How many operations of each kind a program has, in fusions and loops, too.

    Returns:
      KINDS, each once however often a loop runs it; `largest buffer` in bytes of what
      an operation outside fusions writes; and `constants`, the bytes in the program.
    """
    found = list(instructions(program))
    opcodes = Counter(each.opcode for each in found)
    counts = {
        name: sum(opcodes[opcode] for opcode in kinds) for name, kinds in KINDS.items()
    }
    inner = set(CALLS.findall(program))
    written = (
        each.bytes
        for each in found
        if each.computation not in inner and each.opcode not in ("tuple", "while")
    )
    constants = sum(each.bytes for each in found if each.opcode == "constant")
    return counts | {"largest buffer": max(written, default=0), "constants": constants}


def called(program: str) -> list[str]:
    """The targets of custom calls: which library's kernels run."""
    return sorted(set(CALLED.findall(program)))


def parameters(program: str) -> int:
    """How many arrays the whole program reads."""
    _, _, entry = program.partition("\nENTRY ")
    return len(re.findall(r"= \S+ parameter\(", entry.partition("\n}")[0]))
