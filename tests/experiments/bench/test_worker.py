"""A worker tells what it really had, not what it was asked for."""

import pytest

from experiments import process
from experiments.bench.pipe import Worker
from experiments.bench.rivals import CONTENDERS
from experiments.bench.work import AttentionWork, CeilingWork, LayerWork, StepWork


def told(target, work, **order):
    with Worker(target, work=work.to_json(), **order) as worker:
        return worker.answer()


@pytest.mark.parametrize("allocator", [False, True])
def test_cores_allocator_and_seeds_are_told(importable, allocator):
    facts = told("sleepers:ours", CeilingWork(), threads=1, allocator=allocator)
    assert facts["cores"] == 1
    assert (facts["allocator"] == process.LEFT) is not allocator
    assert facts["seeds"] == {}
    assert "torch_threads" not in facts


def test_a_step_tells_the_allocator_that_its_runner_sets():
    work = StepWork(layers=1, heads=1, width=7, context=5, batch=2)
    facts = told(CONTENDERS["step"]["ours"], work, allocator=False)
    assert facts["allocator"] != process.LEFT
    assert facts["seeds"].keys() == {"text", "training"}


def test_torch_tells_its_threads():
    pytest.importorskip("torch")
    facts = told("experiments.bench.rivals.most_torch:most", CeilingWork("exp"))
    assert facts["torch_threads"] == facts["cores"]


def test_compiling_starts_from_nothing_whatever_cache_the_user_has(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    work = AttentionWork(length=7, batch=1, heads=2, width=3)
    facts = told(CONTENDERS["attention"]["ours"], work)
    assert facts["program"]["flops"]
    assert not list(tmp_path.iterdir())


def test_seeds_are_those_of_the_data():
    assert AttentionWork().seeds == {"data": 0}
    assert LayerWork().seeds == {"data": 0, "weights": 1}
