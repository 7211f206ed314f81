"""The names that a config may use are the names that exist."""

import pathlib

import pytest

from attn import functional
from attn.modules import convolution, layers, pooling
from experiments import model, optim, tasks
from experiments.config import ConfigError, load, names
from experiments.config.paths import fields
from experiments.config.source import plain_scalar


def modules(folder: pathlib.Path) -> set[str]:
    return {path.stem for path in folder.glob("[a-z]*.py")}


TABLES = {
    "activations": (names.ACTIVATIONS, {**functional.ACTIVATIONS, **functional.GATES}),
    "models": (names.MODELS, model.BUILDERS),
    "batches": (names.MODELS, model.FORWARD),
    "norms": (names.NORMS, layers.NORMS),
    "convolutions": (names.CONVOLUTIONS, convolution.PLACES),
    "poolings": (names.POOLINGS, pooling.POOLINGS),
    "optimizers": (names.OPTIMIZERS, optim.OPTIMIZERS),
    "schedules": (names.SCHEDULES, optim.SCHEDULES),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_names_are_those_that_are_built(table):
    known, built = TABLES[table]
    assert set(known) == set(built)


@pytest.mark.parametrize(
    ("known", "folder"),
    [
        (names.TASKS, "."),
        (names.SOURCES, "corpora"),
        (names.VOCABULARIES, "vocabularies"),
    ],
)
def test_every_name_has_its_file(known, folder):
    assert set(known) <= modules(pathlib.Path(tasks.__file__).parent / folder)


@pytest.mark.parametrize("synonym", names.SYNONYMS)
def test_every_synonym_leads_to_a_key(synonym):
    meant = names.SYNONYMS[synonym]
    keys = {path[-1] for path in fields()} | {"extends"}
    assert tuple(meant.split(".")) in fields() or meant in keys
    assert synonym == synonym.replace("_", "").lower()  # else it would never be found


@pytest.mark.parametrize(
    "theirs",
    ["n_layer", "n_head", "n_embd", "block_size", "batch_size", "learning_rate",
     "max_iters", "lr_decay_iters", "min_lr", "beta2", "warmup_iters", "weight_decay",
     "grad_clip", "eval_interval", "eval_iters", "dropout", "bias", "dataset", "device",
     "gradient_accumulation_steps", "out_dir", "always_save_checkpoint"],
)  # fmt: skip
def test_the_words_of_the_best_known_trainer_lead_somewhere(theirs):
    with pytest.raises(ConfigError, match="unknown key"):
        load(None, [f"{theirs}=1"])
    if theirs != "always_save_checkpoint":
        with pytest.raises(ConfigError, match=r"Did you mean `[a-z_.]+`\?"):
            load(None, [f"{theirs}=1"])


@pytest.mark.parametrize("text", ["1", "-1", "+1", "1_000", "0", "123456789012345678"])
def test_whole_numbers(text):
    assert plain_scalar(text) == int(text)


@pytest.mark.parametrize("text", ["0.5", ".5", "5.", "1e3", "1E-3", "-1.5e+3", "1_0.5"])
def test_numbers(text):
    assert plain_scalar(text) == float(text)


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "n", "1:30", "2026-11-21", "1.2.3", "e5", "1e",
     "_1", "0.1.2", "--1", "+-1", "1 2", "0x", "inf_", "nano", "nulls", "TrUe", "."],
)  # fmt: skip
def test_texts_that_other_readers_take_for_something_else(text):
    assert plain_scalar(text) == text


@pytest.mark.parametrize("text", ["010", "00", "0x1F", "0o17", "0b1", "-07", "0_1"])
def test_ambiguous_numbers(text):
    with pytest.raises(ValueError, match="is ambiguous"):
        plain_scalar(text)
