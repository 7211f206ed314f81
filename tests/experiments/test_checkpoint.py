"""Checkpoints: whole or not there, verified, pruned, never of what is not finite."""

import errno
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import checkpoint
from experiments.arrays import CheckpointError, NotFinite, digest
from experiments.checkpoint import Store
from experiments.look import choose

TREE = {
    "blocks": {0: {"kernel": np.arange(15.0, dtype=np.float32).reshape(3, 5)}},
    "half": np.asarray(jnp.arange(7, dtype=jnp.bfloat16)),
    "step": np.int32(11),
    "empty": np.zeros((0, 3), np.float32),
}


def same(one, other):
    return digest(one) == digest(other)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "checkpoints", keep=2)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store with two checkpoints, to be copied and spoilt."""
    folder = tmp_path_factory.mktemp("written") / "checkpoints"
    for step in (3, 7):
        Store(folder).save(step, TREE | {"step": np.int32(step)}, {"rows": step})
    return folder


@pytest.fixture
def copied(written, tmp_path):
    return Store(shutil.copytree(written, tmp_path / "copy"))


def test_what_is_written_is_read(store):
    store.save(7, TREE, {"validation": 1.25, "window": [[0.1, 2.0]]})
    found, notes = store.load(7, TREE)
    assert same(found, TREE)
    assert found["half"].dtype == jnp.bfloat16
    assert notes["step"] == 7
    assert notes["window"] == [[0.1, 2.0]]


def test_the_latest_and_the_best_stay(store):
    for step, loss in [(1, 3.0), (2, 1.0), (3, 2.0), (4, None), (5, 1.5)]:
        store.save(step, TREE, {"validation": loss})
    assert store.steps() == [2, 4, 5]
    assert store.best_step() == 2


def test_without_best_only_the_latest_stay(tmp_path):
    store = Store(tmp_path, keep=1, best=False)
    for step, loss in [(1, 1.0), (2, 2.0)]:
        store.save(step, TREE, {"validation": loss})
    assert store.steps() == [2]


def test_what_was_just_written_stays_whatever_lies_above(tmp_path):
    store = Store(tmp_path, keep=1, best=False)
    store.save(9, TREE, {})
    flip(store.path(9) / "notes.json")
    store.save(5, TREE, {})
    assert same(store.load(5, TREE)[0], TREE)


def test_damaged_ones_are_set_aside_and_count_no_more(tmp_path):
    """By step 9 would stay as the latest, by loss 2 as the best."""
    store = Store(tmp_path, keep=3)
    for step, loss in [(2, 1.0), (3, 2.0), (5, 3.0), (9, 4.0)]:
        store.save(step, TREE, {"validation": loss})
    for step in (2, 9):
        flip(next(store.path(step).glob("arrays/*")))
    assert choose(store, "best", tmp_path) == 3
    store.set_aside(5)
    assert store.steps() == [3, 5]
    assert store.best_step() == 3
    names = {path.name for path in tmp_path.glob("damaged-*")}
    assert names == {"damaged-step_00000002", "damaged-step_00000009"}


def test_one_that_cannot_be_removed_is_only_said(copied, monkeypatch, capsys):
    monkeypatch.setattr(Store, "drop", refuse(errno.EACCES, "Permission denied"))
    copied.save(9, TREE | {"step": np.int32(9)}, {})
    assert copied.steps() == [3, 7, 9]
    said = capsys.readouterr().err
    assert said.startswith(f"{copied.path(9)}: is written, but an earlier one cannot")
    assert said.count("\n") == 1


def test_the_same_step_can_be_written_again(store):
    store.save(7, TREE, {"validation": None})
    store.save(7, TREE, {"validation": 1.0})
    assert store.notes(7)["validation"] == 1.0
    assert [path.name for path in store.folder.iterdir()] == ["step_00000007"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["half", "blocks"])
def test_what_is_not_finite_is_never_written(store, bad, name):
    spoilt = {0: {"kernel": np.full((3, 5), bad, np.float32)}}
    half = TREE["half"].copy()
    half[3] = bad
    tree = TREE | {name: spoilt if name == "blocks" else half}
    with pytest.raises(NotFinite, match=name):
        store.save(7, tree, {})
    assert store.steps() == []


def test_another_model_is_refused_by_name(copied):
    with pytest.raises(CheckpointError, match=r"`blocks/0/kernel` expected .*\(3, 4\)"):
        copied.load(7, TREE | {"blocks": {0: {"kernel": np.zeros((3, 4), np.float32)}}})
    with pytest.raises(
        CheckpointError, match=r"`more` expected float32 .* got nothing"
    ):
        copied.load(7, TREE | {"more": np.zeros(2, np.float32)})


def files(folder):
    return sorted(p for p in (folder / "step_00000007").rglob("*") if p.is_file())


def flip(path):
    """Turns one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


DAMAGE = {
    "flip": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "delete": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_to_any_file_is_found_and_the_one_before_is_read(written, tmp_path, how):
    for number, original in enumerate(files(written)):
        store = Store(shutil.copytree(written, tmp_path / str(number)))
        path = store.folder / original.relative_to(written)
        if how in ("cut", "empty") and not path.stat().st_size:
            continue  # an empty file has nothing to lose
        if how == "flip" and not path.stat().st_size:
            path.write_bytes(b"\0")
        else:
            DAMAGE[how](path)
        fault, (found, notes) = store.newest(TREE)
        assert "step_00000007" in fault
        assert "\n" not in fault
        assert notes["step"] == int(found["step"]) == 3


def test_a_file_too_many_and_links_are_refused(copied, tmp_path):
    more = copied.path(7) / "arrays" / "more"
    more.write_text("x")
    with pytest.raises(CheckpointError, match="more"):
        copied.load(7, TREE)
    more.unlink()
    more.symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match="links"):
        copied.load(7, TREE)


def test_what_a_killed_process_left_is_removed(copied):
    shutil.copytree(copied.path(7), copied.folder / ".new-step_00000009")
    (copied.folder / "step_00000009.tmp").mkdir()
    copied.clean()
    assert copied.steps() == [3, 7]
    assert not (copied.folder / ".new-step_00000009").exists()


def test_a_kill_between_the_renames_loses_nothing(copied):
    copied.path(7).rename(copied.folder / ".old-step_00000007")
    copied.clean()
    assert copied.steps() == [3, 7]
    assert same(copied.load(7, TREE)[0], TREE | {"step": np.int32(7)})


def refuse(number, text):
    def fail(*_, **__):
        raise OSError(number, text)

    return fail


@pytest.mark.parametrize("where", ["_write", "_swap", "sync", "_checkpointer"])
def test_a_full_disk_is_one_line_and_harms_nothing(copied, monkeypatch, where):
    full = refuse(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(checkpoint, where, full)
    with pytest.raises(CheckpointError, match=r"no space left.*make room") as error:
        copied.save(9, TREE, {})
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    copied.clean()
    assert 7 in copied.steps()
    assert same(copied.load(7, TREE)[0], TREE | {"step": np.int32(7)})


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        Store(tmp_path / "file").save(1, TREE, {})


def test_the_digest_sees_values_names_and_shapes():
    kernel = TREE["blocks"][0]["kernel"]
    changed = [
        {"a": kernel},
        {"b": kernel},
        {"a": kernel.T},
        {"a": kernel.reshape(5, 3)},
        {"a": kernel.astype(np.float64)},
        {"a": kernel + np.float32(1e-6)},
    ]
    assert len({digest(tree) for tree in changed}) == len(changed)
