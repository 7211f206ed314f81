"""Normalizers: a row of logits, and which of them count, to weights."""

import math

import numpy as np

__all__ = ["entmax", "relu2", "sigmoid", "softmax", "sparsemax", "stick_breaking"]


def softmax(sink=None):
    def weigh(logits, allowed):
        shown = [x for x, ok in zip(logits, allowed, strict=True) if ok]
        if not shown:
            return [0.0] * len(logits)
        top = max(shown) if sink is None else max([*shown, float(sink)])
        total = sum(math.exp(x - top) for x in shown)
        total += 0.0 if sink is None else math.exp(float(sink) - top)
        pairs = zip(logits, allowed, strict=True)
        return [math.exp(x - top) / total if ok else 0.0 for x, ok in pairs]

    return weigh


def sigmoid(bias=0.0):
    def weigh(logits, allowed):
        pairs = zip(logits, allowed, strict=True)
        return [1 / (1 + math.exp(-x - float(bias))) if ok else 0.0 for x, ok in pairs]

    return weigh


def relu2():
    def weigh(logits, allowed):
        pairs = zip(logits, allowed, strict=True)
        return [max(x, 0.0) ** 2 if ok else 0.0 for x, ok in pairs]

    return weigh


def stick_breaking():
    def weigh(logits, allowed):
        weights, left = [0.0] * len(logits), 1.0
        for col in reversed(range(len(logits))):
            if allowed[col]:
                piece = 1 / (1 + math.exp(-logits[col]))
                weights[col] = left * piece
                left *= 1 - piece
        return weights

    return weigh


def sparsemax():
    """Martins and Astudillo 2016, algorithm 1: sort, find the support, subtract."""

    def weigh(logits, allowed):
        shown = sorted((x for x, ok in zip(logits, allowed, strict=True) if ok))[::-1]
        if not shown:
            return [0.0] * len(logits)
        tau = 0.0
        for size in range(1, len(shown) + 1):
            if 1 + size * shown[size - 1] > sum(shown[:size]):
                tau = (sum(shown[:size]) - 1) / size
        pairs = zip(logits, allowed, strict=True)
        return [max(x - tau, 0.0) if ok else 0.0 for x, ok in pairs]

    return weigh


def entmax(alpha):
    """The threshold by 200 halvings in float64, then the definition."""

    def weigh(logits, allowed):
        power = 1 / (alpha - 1)
        row = np.array([x * (alpha - 1) for x in logits])
        ok = np.array(allowed, bool)
        if not ok.any():
            return [0.0] * len(logits)
        low, high = row[ok].max() - 1, row[ok].max()
        for _ in range(200):
            middle = (low + high) / 2
            mass = (np.maximum(row[ok] - middle, 0) ** power).sum()
            low, high = (middle, high) if mass >= 1 else (low, middle)
        weights = np.where(ok, np.maximum(np.where(ok, row, low) - low, 0) ** power, 0)
        return list(weights / weights.sum())

    return weigh
