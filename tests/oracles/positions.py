"""Positions: one vector and its position to a vector, in complex numbers or loops."""

import cmath
import math

import numpy as np

__all__ = ["learned", "linear", "ntk", "plain", "rotary", "sinusoidal", "yarn"]


def sinusoidal(base):
    def embed(x, position):
        added = []
        for unit in range(len(x)):
            angle = position / base ** ((unit - unit % 2) / len(x))
            added.append(math.cos(angle) if unit % 2 else math.sin(angle))
        return x + np.array(added)

    return embed


def learned(table):
    table = np.asarray(table, np.float64)
    return lambda x, position: x + table[position]


def plain(base, width):
    """(angles per position, growth of the vector)."""
    return [base ** (-2 * i / width) for i in range(width // 2)], 1.0


def linear(factor):
    def scaled(base, width):
        return [x / factor for x in plain(base, width)[0]], 1.0

    return scaled


def ntk(factor):
    return lambda base, width: plain(base * factor ** (width / (width - 2)), width)


def yarn(factor, context, slow=1.0, fast=32.0):
    """Peng et al. 2023, equations 17 to 22."""

    def scaled(base, width):
        out = []
        for angle in plain(base, width)[0]:
            wavelength = 2 * math.pi / angle
            turns = context / wavelength
            if turns < slow:
                gamma = 0.0
            elif turns > fast:
                gamma = 1.0
            else:
                gamma = (turns - slow) / (fast - slow)
            out.append((1 - gamma) * angle / factor + gamma * angle)
        return out, 0.1 * math.log(factor) + 1

    return scaled


def rotary(base, width=None, scaling=plain):
    """Pairs (x[i], x[i + width / 2]) as complex numbers, turned and grown."""

    def rotate(x, position):
        size = len(x) if width is None else width
        angles, grow = scaling(base, size)
        out = np.array(x, np.float64)
        for unit, angle in enumerate(angles):
            number = complex(out[unit], out[unit + size // 2])
            number *= cmath.exp(1j * angle * position)
            out[unit], out[unit + size // 2] = number.real, number.imag
        return out * grow

    return rotate
