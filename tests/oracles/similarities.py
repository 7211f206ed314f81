"""Similarities: two vectors to a number."""

import math

import numpy as np

__all__ = ["additive", "bilinear", "cosine", "dot", "l2"]


def dot(scale=None):
    def compare(query, key):
        by = 1 / math.sqrt(len(query)) if scale is None else scale
        return sum(a * b for a, b in zip(query, key, strict=True)) * by

    return compare


def cosine(temperature):
    def compare(query, key):
        lengths = math.sqrt(sum(query**2)) * math.sqrt(sum(key**2))
        return 0.0 if lengths == 0 else sum(query * key) / lengths / temperature

    return compare


def bilinear(matrix):
    matrix = np.asarray(matrix, np.float64)

    def compare(query, key):
        total = 0.0
        for row in range(len(query)):
            for col in range(len(key)):
                total += query[row] * matrix[row, col] * key[col]
        return total

    return compare


def additive(query_map, key_map, vector):
    query_map, key_map, vector = (
        np.asarray(x, np.float64) for x in (query_map, key_map, vector)
    )

    def compare(query, key):
        total = 0.0
        for unit in range(len(vector)):
            inside = sum(query * query_map[:, unit]) + sum(key * key_map[:, unit])
            total += vector[unit] * math.tanh(inside)
        return total

    return compare


def l2(scale=None):
    def compare(query, key):
        by = 1 / math.sqrt(len(query)) if scale is None else scale
        return -by * sum((query - key) ** 2)

    return compare
