"""Killed with SIGKILL and resumed: the same bytes. On four devices: the same losses."""

import json
import random
import time

import numpy as np
import pytest

from tests import kill_resume as trials

KILLS = 2
SHARDED = ("train.duration=15steps", "data.batch=8", "sample.every=null")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    trials.finish(root)
    return trials.bytes_of(root), time.monotonic() - began


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_and_resumed_ends_with_the_same_bytes(whole, tmp_path, number):
    expected, length = whole
    # The first moment is somewhere in the steps, the others anywhere.
    after = length * (0.9 if number == 0 else random.random())
    trials.kill(tmp_path, after)
    trials.finish(tmp_path)
    assert trials.bytes_of(tmp_path) == expected, f"killed after {after:.3f}s"


def losses(root, *overrides):
    trials.finish(root, (*SHARDED, *overrides))
    (path,) = root.glob("*/metrics.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    names = ("train/loss", "val/loss", "optim/grad_norm")
    return np.array([row[name] for row in rows for name in names if name in row])


def test_four_devices_have_the_losses_of_one(tmp_path):
    one = losses(tmp_path / "one")
    four = losses(tmp_path / "four", "process.simulated_devices=4")
    (path,) = (tmp_path / "four").glob("*/manifest.json")
    assert json.loads(path.read_text())["devices"] == 4
    np.testing.assert_allclose(four, one, rtol=2e-4)
