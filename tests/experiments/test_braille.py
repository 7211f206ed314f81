"""Curves in braille: the right dots at the right places."""

import math

from experiments.braille import LABEL, draw


def test_a_line_falls_from_corner_to_corner():
    lines = draw([0, 1, 2, 3], [3.0, 2.0, 1.0, 0.0], width=LABEL + 1 + 8, height=5)
    assert len(lines) == 5
    pictures = [line[LABEL + 1 :] for line in lines[:-1]]
    assert ord(pictures[0][0]) & 0x01
    assert ord(pictures[-1][-1]) & 0x80
    assert pictures[0][-1] == pictures[-1][0] == "\u2800"
    assert lines[0].split()[0] == "3"
    assert lines[-2].split()[0] == "0"
    assert lines[-1].split() == ["0", "3"]


def test_what_cannot_be_drawn_is_not():
    assert draw([], [], width=40, height=8) == []
    assert draw([1], [math.nan], width=40, height=8) == []
    assert draw([1], [1.0], width=8, height=8) == []
    assert len(draw([1, 2], [5.0, 5.0], width=40, height=8)) == 8
