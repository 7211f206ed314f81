"""The text task: its split, its windows, its batches."""

import hashlib
import json
import math
import os
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import tasks
from experiments.config import ConfigError, load
from experiments.tasks import text, vocabularies
from experiments.tasks.task import SPLITS

ROOT = pathlib.Path(__file__).resolve().parents[3]
SONG = "".join(f"{n} green bottles hanging on the wall\n" for n in range(211, 0, -1))


def task_of(path, content=SONG, saved=None, **values):
    """A text task of a text, with sizes that are primes."""
    path = pathlib.Path(path, "text.txt")
    path.write_bytes(content.encode())
    values = {"context": 7, "batch": 5, "path": path} | values
    config = load(None, [f"data.{key}={value}" for key, value in values.items()])
    return tasks.build(config.data, vocabulary=saved)


def every_batch(task, split="validation"):
    steps = range(task.validation_steps)
    return [task.batch(task.arrays, 0, split, step) for step in steps]


def equal(a, b) -> bool:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return task_of(tmp_path_factory.mktemp("song"))


def test_a_batch_is_windows_and_what_comes_next(task):
    batch = task.batch(task.arrays, 3, "train", 11)
    assert batch.tokens.shape == batch.targets.shape == batch.weights.shape == (5, 7)
    assert batch.tokens.dtype == batch.targets.dtype == jnp.int32
    assert batch.weights.dtype == jnp.float32
    assert batch.weights.min() == 1
    for tokens, targets in zip(batch.tokens, batch.targets, strict=True):
        window = task.vocabulary.decode([*tokens, targets[-1]])
        assert window in SONG
        assert np.array_equal(tokens[1:], targets[:-1])


def test_batches_differ_by_seed_and_step_and_by_nothing_else(task):
    def draw(seed, step):
        return task.batch(task.arrays, seed, "train", step)

    assert equal(draw(3, 11), draw(3, 11))
    assert not equal(draw(3, 11), draw(4, 11))
    assert not equal(draw(3, 11), draw(3, 12))


def test_jit_vmap_and_scan_give_the_same_batches(task):
    def draw(seed, step):
        return task.batch(task.arrays, seed, "train", step)

    wanted = [draw(seed, 2) for seed in range(3)]
    seeds = jnp.arange(3, dtype=jnp.uint32)
    many = jax.jit(jax.vmap(draw, (0, None)))(seeds, jnp.int32(2))
    assert equal(many, jax.tree.map(lambda *rows: jnp.stack(rows), *wanted))
    steps = jnp.arange(4, dtype=jnp.int32)
    _, scanned = jax.jit(lambda s: jax.lax.scan(lambda c, i: (c, draw(1, i)), 0, s))(
        steps
    )
    wanted = [draw(1, step) for step in range(4)]
    assert equal(scanned, jax.tree.map(lambda *rows: jnp.stack(rows), *wanted))


def test_a_traced_step_does_not_retrace(task):
    traces = []

    @jax.jit
    def draw(arrays, seed, step):
        traces.append(step)
        train = task.batch(arrays, seed, "train", step)
        return train, task.batch(arrays, seed, "validation", step)

    for step in range(5):
        found = draw(task.arrays, np.uint32(step + 1), np.int32(step))
        assert equal(found[0], task.batch(task.arrays, step + 1, "train", step))
        assert equal(found[1], task.batch(task.arrays, 0, "validation", step))
    assert len(traces) == 1


def test_training_reaches_every_window(tmp_path):
    """Also the first and the last: a wrong bound would cost or overrun a token."""
    task = task_of(
        tmp_path,
        "abcdefghijklmnopqrstuvwxyz",
        context=5,
        validation=0.25,
        vocabulary="char",
    )
    seen = set()
    draw = jax.jit(lambda step: task.batch(task.arrays, 0, "train", step))
    for step in range(97):
        batch = draw(step)
        seen |= {task.vocabulary.decode(row) for row in np.array(batch.tokens)}
    train = "abcdefghijklmnopqrs"
    assert seen == {train[i : i + 5] for i in range(len(train) - 5)}


def strangers(length):
    """A text in which each character occurs once: a shared one is a leak."""
    return "".join(chr(0x4E00 + i) for i in range(length))


@given(
    length=st.integers(60, 4001),
    fraction=st.floats(0.1, 0.9),
    kind=st.sampled_from(["char", "byte", "bpe"]),
)
@settings(max_examples=61, deadline=None)
def test_training_and_validation_are_a_head_and_a_tail(
    tmp_path_factory, length, fraction, kind
):
    values = {"context": 3, "validation": fraction, "vocabulary": kind}
    values |= {"vocabulary_size": 257} if kind == "bpe" else {}
    whole = strangers(length)
    task = task_of(tmp_path_factory.getbasetemp(), whole, **values)
    head, tail = (task.vocabulary.decode(np.array(task.arrays[s])) for s in SPLITS)
    assert head + tail == whole
    assert abs(len(tail) - fraction * length) <= 1


@pytest.mark.parametrize(
    ("length", "fraction", "context"),
    [(211, 0.1, 7), (97, 0.5, 1), (97, 0.9, 8), (64, 0.3, 18)],
)
def test_no_window_reaches_over_the_cut(tmp_path, length, fraction, context):
    whole = strangers(length)
    values = {"context": context, "validation": fraction, "vocabulary": "char"}
    task = task_of(tmp_path, whole, **values)

    def seen(split, steps):
        draw = jax.vmap(lambda step: task.batch(task.arrays, 3, split, step))
        batch = jax.jit(draw)(jnp.arange(steps))
        return set(np.ravel([batch.tokens, batch.targets]).tolist())

    cut = task.arrays["train"].size
    train, validation = seen("train", 97), seen("validation", task.validation_steps)
    assert train <= set(task.vocabulary.encode(whole[:cut]))
    assert validation == set(task.vocabulary.encode(whole[cut:]))
    assert not train & validation


@given(length=st.integers(2, 500), context=st.integers(1, 61), count=st.integers(1, 13))
@settings(max_examples=199, deadline=None)
def test_validation_counts_every_target_once(length, context, count):
    context = min(context, length - 1)
    starts, skips = text.validation_plan(length, context, count)
    counted = np.zeros(length, int)
    for start, skip in zip(starts.ravel(), skips.ravel(), strict=True):
        assert 0 <= start <= length - 1 - context
        counted[start + 1 + skip : start + 1 + context] += 1
    assert counted[0] == 0
    assert (counted[1:] == 1).all()
    assert starts.shape[1] == count
    assert (skips[:-1] < context).all()  # only the last batch has rows to fill it up


@pytest.mark.parametrize("count", [1, 2, 7, 89, 360, 9600])
def test_the_first_validation_windows_are_spread_evenly(count):
    order = text._spread(count)
    assert sorted(order) == list(range(count))
    for some in (2, 3, 20, 100):
        if some <= count:
            places = np.sort(order[:some])
            gaps = np.diff([*places, places[0] + count])
            assert gaps.max() <= 2 * math.ceil(count / some)


def test_validation_is_the_tail_whatever_the_seed(task):
    first = task.batch(task.arrays, 0, "validation", 2)
    assert equal(first, task.batch(task.arrays, 99, "validation", 2))
    after = task.batch(task.arrays, 0, "validation", 2 + task.validation_steps)
    assert equal(first, after)
    weights = sum(float(batch.weights.sum()) for batch in every_batch(task))
    assert weights == task.arrays["validation"].size - 1


def test_the_recipe_of_the_field_splits_as_it_does():
    train, validation = text.split_text("x" * 1_115_394, 0.1)
    assert (len(train), len(validation)) == (1_003_854, 111_540)


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({"context": 97}, 16),
        ({"context": 17}, 16),
        ({"context": 300, "validation": 0.9}, 16),
        ({"context": 97, "vocabulary": "char"}, 16),
    ],
)
def test_a_context_longer_than_the_text_names_what_fits(tmp_path, values, fits):
    whole = "".join(chr(0x61 + i % 26) for i in range(170))
    with pytest.raises(ConfigError) as caught:
        task_of(tmp_path, whole, **values)
    message = str(caught.value)
    part = "training" if "validation" in values else "validation"
    context = values["context"]
    assert message == (
        f"override `data.context={context}`: longer than the text: {context} needs"
        f" {context + 1} tokens, but the {part} part has 17; set it to {fits} or less,"
        " or give a longer text."
    )
    allowed = int(re.search(r"set it to (\d+)", message)[1])
    assert task_of(tmp_path, whole, **values | {"context": allowed}).validation_steps


@pytest.mark.parametrize("content", ["x", "ten bytes!"])
def test_a_text_of_nothing_has_no_remedy_but_more_text(tmp_path, content):
    with pytest.raises(ConfigError, match=r"part has [01]; give a longer text\.$"):
        task_of(tmp_path, content)


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_every_vocabulary_trains_on_the_same_text(tmp_path, kind):
    size = {"vocabulary_size": 263} if kind == "bpe" else {}
    task = task_of(tmp_path, "caf\u00e9 " + SONG, vocabulary=kind, **size)
    pieces = [task.vocabulary.decode(np.array(task.arrays[split])) for split in SPLITS]
    assert "".join(pieces) == "caf\u00e9 " + SONG
    assert task.chance == math.log(task.vocabulary.size)
    tokens = task.arrays["validation"].size
    assert task.bytes_per_token == len(pieces[1].encode()) / tokens
    assert f"{kind} vocabulary of {task.vocabulary.size}" in task.describe()
    assert task.fingerprint[:8] in task.describe()


def test_tokens_take_one_byte_where_they_can():
    assert [text.smallest_dtype(n) for n in (2, 256, 257, 65536, 65537)] == [
        np.uint8,
        np.uint8,
        np.uint16,
        np.uint16,
        np.int32,
    ]


def test_a_saved_vocabulary_is_used(tmp_path):
    saved = vocabularies.fit("char", "\n" + SONG[::-1] + "XYZ", "", None)
    task = task_of(tmp_path, vocabulary="char", saved=saved.to_json())
    assert task.vocabulary.to_json() == saved.to_json()
    with pytest.raises(vocabularies.UnknownCharacter, match="`Q`"):
        task_of(tmp_path, SONG + "Q", vocabulary="char", saved=saved.to_json())


def test_batches_stay_what_they_are(tmp_path):
    """A golden digest: a new version that draws differently would break resuming."""
    task = task_of(tmp_path)
    batch = task.batch(task.arrays, 5, "train", 3)
    digest = hashlib.sha256(np.asarray(batch.tokens).tobytes()).hexdigest()
    assert digest[:16] == "51121c26297b4380"


DIGEST = """
import hashlib, json, sys, jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from experiments import tasks
from experiments.config import load
out = {"devices": jax.device_count()}
for kind in ("byte", "char", "bpe"):
    size = ["data.vocabulary_size=263"] if kind == "bpe" else []
    task = tasks.build(load(None, [
        f"data.path={sys.argv[1]}", f"data.vocabulary={kind}", *size,
        "data.batch=8", "data.context=7"]).data)
    rows = NamedSharding(Mesh(jax.devices(), ("data",)), PartitionSpec("data"))
    draw = jax.jit(lambda a, s, i: task.batch(a, s, "train", i), out_shardings=rows)
    tokens = np.asarray(draw(task.arrays, np.uint32(7), np.int32(3)).tokens)
    parts = (tokens.tobytes(), task.vocabulary.to_json().encode())
    digests = [hashlib.sha256(part).hexdigest() for part in parts]
    out[kind] = [task.fingerprint, *digests]
print(json.dumps(out))
"""


def digests(folder, hash_seed, devices):
    """What a fresh process draws from the texts of a folder."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "XLA_FLAGS": flags,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        "RAYON_NUM_THREADS": str(devices),
    }
    command = [sys.executable, "-c", DIGEST, str(folder)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_batches_do_not_depend_on_hash_seed_devices_or_threads(tmp_path):
    for name in ("b", "a", "c/d"):
        path = tmp_path / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(name + SONG)
    one, four = digests(tmp_path, "0", 1), digests(tmp_path, "random", 4)
    assert (one.pop("devices"), four.pop("devices")) == (1, 4)
    assert one == four
