"""Traced arrays are found wherever a function of the user's may hold them."""

import collections
import dataclasses
import functools
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import attn
from attn.backends import dispatch
from attn.spec.closure import captures_tracer
from attn.spec.normalizers import Sigmoid
from attn.spec.piece import piece
from attn.spec.similarity import Similarity
from attn.spec.site import At, whole

LENGTH = 11
ARRAYS = tuple(
    jax.random.normal(jax.random.key(seed), (1, LENGTH, 2, 3)) for seed in range(3)
)

SITE = whole(At(jnp.arange(LENGTH), jnp.arange(LENGTH)))


def bend(logits, site, table):
    return logits + table[site.key_pos]


class Bent:
    def __init__(self, table):
        self.table = table

    def __call__(self, logits, site):
        return bend(logits, site, self.table)

    def method(self, logits, site):
        return self(logits, site)

    def closed(self):
        return lambda logits, site: self(logits, site)


class Slots:
    __slots__ = ("__table",)

    def __init__(self, table):
        self.__table = table

    def __call__(self, logits, site):
        return bend(logits, site, self.__table)


@dataclasses.dataclass(eq=False)
class Data:
    table: Any

    def __call__(self, logits, site):
        return bend(logits, site, self.table)


class Layer(nnx.Module):
    def __init__(self, table):
        self.table = nnx.Param(table)

    def __call__(self, logits, site):
        return bend(logits, site, self.table[...])


def _local(table):
    class Local:
        def __call__(self, logits, site):
            return bend(logits, site, table)

    return Local()


def _attribute(table):
    def function(logits, site):
        return bend(logits, site, function.table)  # pyright: ignore[reportFunctionMemberAccess]

    function.table = table  # pyright: ignore[reportFunctionMemberAccess]
    return function


def _namespace(table):
    inside = types.SimpleNamespace(tables={1: [table], "one": None})
    return lambda logits, site: bend(logits, site, inside.tables[1][0])


def _cycle(table):
    first, second = Bent(table), Bent(None)
    first.other, second.other = second, first  # pyright: ignore[reportAttributeAccessIssue]
    return lambda logits, site: second.other(logits, site)  # pyright: ignore[reportAttributeAccessIssue]


HOLDERS = {
    "closure": lambda table: lambda logits, site: bend(logits, site, table),
    "default": lambda table: lambda logits, site, t=table: bend(logits, site, t),
    "partial": lambda table: functools.partial(bend, table=table),
    "object": Bent,
    "method": lambda table: Bent(table).method,
    "closure over an object": lambda table: Bent(table).closed(),
    "slots": Slots,
    "dataclass": Data,
    "module": Layer,
    "local class": _local,
    "attribute": _attribute,
    "namespace": _namespace,
    "cycle": _cycle,
    "deque": lambda table: functools.partial(
        lambda tables, logits, site: bend(logits, site, tables[0]),
        collections.deque([table]),
    ),
    "jit": lambda table: jax.jit(lambda logits, site: bend(logits, site, table)),
}


@piece("moved")
class Moved(Similarity):
    function: Any

    def compare(self, query, key):
        return self.function(query) @ key.T


@piece("bent")
class BentNormalizer(Sigmoid):
    function: Any = None

    def lift(self, logits, allowed=None):
        return super().lift(self.function(logits), allowed)


SLOTS = {
    "logits": lambda table: attn.fn(lambda logits, site: logits + table),
    "mask": lambda table: attn.predicate(lambda site: site.distance > table),
    "similarity": lambda table: Moved(lambda query: query * table),
    "normalizer": lambda table: BentNormalizer(function=lambda logits: logits + table),
}


def loss(spec, table, backend):
    output = attn.attend_heads(spec(table), *ARRAYS, backend=backend).value
    return jnp.sum(output**2)


def _table():
    return jnp.linspace(0.0, 1.0, LENGTH)


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_array_is_found_where_it_is_traced_and_only_there(holder):
    make, found = HOLDERS[holder], []

    def run(table):
        found.append(captures_tracer(make(table)))
        return jnp.sum(make(table)(jnp.zeros(()), SITE))

    assert not captures_tracer(make(_table()))
    np.testing.assert_array_equal(jax.grad(run)(_table()), 1.0)
    assert found == [True]


@pytest.mark.parametrize("slot", SLOTS)
def test_a_fold_refuses_traced_arrays_in_every_piece(slot):
    with pytest.raises(ValueError, match="closes over an array that is traced, whose"):
        jax.grad(functools.partial(loss, SLOTS[slot], backend="blockwise"))(1.0)


def test_an_object_keeps_the_gradient_of_its_array(monkeypatch):
    monkeypatch.setattr(dispatch, "SMALL", 0)  # so that the fold is asked first
    spec = lambda table: (attn.fn(Bent(table)), attn.causal)  # noqa: E731
    found, expected = (
        jax.grad(functools.partial(loss, spec, backend=backend))(_table())
        for backend in ("auto", "dense")
    )
    assert np.asarray(found).any()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_function_that_compares_by_value_is_refused_in_one_line():
    by_value = dataclasses.make_dataclass("ByValue", ["table"])
    by_value.__call__ = lambda self, logits, site: logits
    with pytest.raises(ValueError, match="hashable, got an object of ByValue, which"):
        attn.fn(by_value(_table()))


@pytest.mark.parametrize("mask", [attn.everything, attn.causal], ids=repr)
def test_dense_differentiates_a_similarity_by_what_it_closes_over(mask):
    spec = lambda by: (Moved(lambda query: query * by), mask)  # noqa: E731
    given = lambda by: (attn.bilinear(by * jnp.eye(3)), mask)  # noqa: E731
    found, expected = (
        jax.grad(functools.partial(loss, make, backend="dense"))(0.7)
        for make in (spec, given)
    )
    assert found
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_and_a_hidden_nan_reaches_none_of_its_gradients():
    key = jax.random.normal(jax.random.key(0), (4, 3)).at[3].set(jnp.nan)
    value = jax.random.normal(jax.random.key(1), (4, 3))

    def total(by, query):
        spec = Moved(lambda query: query * by), attn.causal
        where = attn.at(jnp.arange(3), jnp.arange(4))  # no query sees the last key
        return jnp.sum(attn.attend(spec, query, key, value, at=where).value ** 2)

    gradients = jax.grad(total, (0, 1))(0.7, jnp.ones((3, 3)))
    assert all(map(jnp.all, map(jnp.isfinite, gradients)))
