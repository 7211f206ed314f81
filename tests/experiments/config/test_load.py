"""Files, parents and overrides become one frozen config that knows its places."""

import pathlib
import time

import pydantic
import pytest

from experiments.config import (
    Config,
    ConfigError,
    config_hash,
    differences,
    dump,
    load,
    meaning,
    place,
    resolve,
)
from experiments.config.durations import Duration, parse_duration
from experiments.config.many import load_many
from experiments.config.paths import fields, is_section
from experiments.config.show import inert

# One other legal value for every key, so that nothing is left out of a test.
OTHER = {
    "name": "other",
    "seed": 5,
    "notes": "a note: with # and 'quotes'",
    "tags": ["a", "b"],
    "platform": "cpu",
    "model.layers": 3,
    "model.heads": 8,
    "model.key_heads": 2,
    "model.width": 64,
    "model.head_width": 16,
    "model.hidden": 96,
    "model.activation": "swiglu",
    "model.norm": "layer",
    "model.norm_bias": True,
    "model.bias": True,
    "model.position": "learned",
    "model.mask": "causal & window(back=7)",
    "model.encoder_layers": 3,
    "model.encoder_mask": "window(back=7, ahead=7)",
    "model.cross": "causal",
    "model.cross_position": "rotary",
    "model.pooling": "max",
    "model.logits": "softcap(50)",
    "model.normalizer": "softmax(sink=0.0)",
    "model.similarity": "cosine",
    "model.convolve": ["attention", "heads", "mlp", "hidden"],
    "model.taps": 3,
    "model.query_key_norm": True,
    "model.dropout": 0.1,
    "model.tie": False,
    "model.softcap": 30.0,
    "model.init_std": 0.02,
    "model.output_scale": 0.0,
    "model.remat": True,
    "model.scan": True,
    "model.backend": "dense",
    "precision.parameters": "bfloat16",
    "precision.compute": "bfloat16",
    "data.preset": "small",
    "data.options": {
        "length": 32,
        "symbols": 20,
        "shortest": 4,
        "longest": 12,
        "cuts": 0.2,
    },
    "data.source": "tinyshakespeare",
    "data.path": "some/*.txt",
    "data.documents": "\n\n",
    "data.url": "http://localhost/text",
    "data.vocabulary": "char",
    "data.vocabulary_size": 300,
    "data.context": 64,
    "data.batch": 8,
    "data.validation": 0.2,
    "optim.kind": "muon",
    "optim.lr": 3e-4,
    "optim.betas": [0.8, 0.99],
    "optim.eps": 1e-6,
    "optim.weight_decay": 0.0,
    "optim.newton_schulz": 3,
    "optim.clip": None,
    "optim.accumulate": 2,
    "optim.ema": 0.99,
    "optim.schedule.kind": "wsd",
    "optim.schedule.warmup": "7steps",
    "optim.schedule.decay": "30%",
    "optim.schedule.floor": 0.0,
    "train.duration": "1000steps",
    "train.steps_per_call": 5,
    "train.weights": "runs/earlier",
    "train.budget": "5min",
    "train.fail_on_recompile": True,
    "eval.every": "100steps",
    "eval.batches": None,
    "eval.grid": {"context": [64, 128]},
    "sample.every": None,
    "sample.length": 10,
    "sample.prompt": "def f(x):\n\t#",
    "sample.temperature": 0.0,
    "sample.top_k": 5,
    "sample.top_p": 0.9,
    "sample.beam": 4,
    "sample.length_penalty": 0.0,
    "checkpoint.every": "50%",
    "checkpoint.keep": 5,
    "checkpoint.best": False,
    "log.every": "1steps",
    "log.maps_every": "30steps",
    "log.sinks": ["wandb"],
    "mesh.devices": 2,
    "process.allocator": False,
    "process.simulated_devices": 2,
    "process.xla_flags": "--xla_dump_to=/tmp/x",
    "process.compilation_cache": False,
}
ONE_CHOICE = {"model.kind", "data.kind"}  # tables with a single row so far
SEQ2SEQ = ["data.kind=dates", "model.kind=seq2seq"]
NEEDS = {  # what else has to be set for a value to make sense
    "model.norm_bias": ["model.norm=layer"],
    "model.taps": ["model.convolve=[mlp]"],
    "optim.newton_schulz": ["optim.kind=muon"],
    "model.encoder_layers": SEQ2SEQ,
    "model.encoder_mask": SEQ2SEQ,
    "model.cross": SEQ2SEQ,
    "model.cross_position": SEQ2SEQ,
    "model.pooling": ["data.kind=brackets", "model.kind=classifier"],
    "sample.beam": SEQ2SEQ,
    "sample.length_penalty": SEQ2SEQ,
    "data.preset": ["data.kind=induction"],
    "data.options": ["data.kind=induction"],
    "data.url": ["data.source=tinyshakespeare"],
    "data.vocabulary_size": ["data.vocabulary=bpe"],
    "optim.schedule.decay": ["optim.schedule.kind=wsd"],
}
INERT = {
    "name",
    "notes",
    "tags",
    "data.preset",
    "train.budget",
    "train.fail_on_recompile",
    "checkpoint.every",
    "checkpoint.keep",
    "checkpoint.best",
    "log.sinks",
    "process.allocator",
    "process.compilation_cache",
}


def write(folder: pathlib.Path, name: str, text: str) -> pathlib.Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def changed(key: str) -> Config:
    """A config in which one key has its other value."""
    needs = NEEDS.get(key, [])
    if key == "data.vocabulary_size":
        return load(None, [*needs, "data.vocabulary_size=300"])
    config = load(None, needs) if needs else load(None)
    data = config.model_dump(mode="json")
    inner = data
    *sections, last = key.split(".")
    for each in sections:
        inner = inner[each]
    inner[last] = OTHER[key]
    return Config.model_validate(data)


def test_every_key_has_another_value_to_test_with():
    keys = {".".join(path) for path, field in fields().items() if not is_section(field)}
    assert keys == set(OTHER) | ONE_CHOICE


@pytest.mark.parametrize("key", OTHER)
def test_every_key_changes_the_hash_or_is_declared_inert(key):
    plain = load(None, ["data.vocabulary=bpe", "data.vocabulary_size=512"])
    plain = plain if key == "data.vocabulary_size" else load(None, NEEDS.get(key, []))
    assert (config_hash(changed(key)) == config_hash(plain)) == (key in INERT)


def test_the_inert_keys_are_these():
    assert {".".join(path) for path in inert()} == INERT


@pytest.mark.parametrize("key", OTHER)
def test_dump_and_load_are_inverse(key, tmp_path):
    config = changed(key)
    path = write(tmp_path, "dumped.yaml", dump(config))
    if key == "data.vocabulary":  # char: everything else stays legal
        assert config.data.vocabulary == "char"
    assert load(path) == config
    assert config_hash(load(path)) == config_hash(config)
    with_places = write(tmp_path, "places.yaml", dump(config, meaning))
    assert load(with_places) == config


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\nb", "\t", "'", '"', "#", "a #b", "yes", "1", "1e3", "null", "é", "\\",
     "- a", "a: b", "{", "[", "&a", "*a", "!x", "%", "@", "`", "\u2028", "\x7f", "😀"],
)  # fmt: skip
def test_any_text_survives_the_round_trip(text, tmp_path):
    config = load(None).model_copy(update={"notes": text})
    assert load(write(tmp_path, "x.yaml", dump(config))).notes == text


def test_a_config_is_frozen():
    with pytest.raises(pydantic.ValidationError):
        load(None).model.layers = 3


def test_shown_origins_are_file_line_override_or_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "base.yaml", "seed: 1\n")
    write(tmp_path, "x.yaml", "extends: base.yaml\nmodel:\n  layers: 2\n")
    shown = dump(load("x.yaml", ["optim.lr=2e-3"]), place)
    places = {x.split(":")[0].strip(): x.split("# ")[-1] for x in shown.split("\n")}
    assert places["seed"] == "base.yaml:1"
    assert places["layers"] == "x.yaml:3"
    assert places["lr"] == "override `optim.lr=2e-3`"
    assert places["notes"] == "default"


def test_a_fault_found_later_names_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "x.yaml", "data:\n  batch: 4\n  path: gone.txt\n")
    data = load("x.yaml", ["optim.schedule.kind=wsd"]).data
    assert data.locate("path") == "x.yaml:3"
    assert (
        str(data.fault("path", "no such file.")) == "x.yaml:3: data.path: no such file."
    )
    unwritten = str(data.fault("vocabulary", "no."))
    assert unwritten == "x.yaml:1: data.vocabulary: no."  # the section it belongs to
    optim = load("x.yaml", ["optim.schedule.kind=wsd"]).optim
    override = "override `optim.schedule.kind=wsd`: no."
    assert str(optim.fault("schedule.kind", "no.")) == override
    assert str(optim.schedule.fault("kind", "no.")) == override
    assert str(load(None).data.fault("path", "no.")) == "config: data.path: no."


def test_two_loads_do_not_share_their_places(tmp_path):
    one = load(write(tmp_path, "one.yaml", "seed: 1\nmodel:\n  layers: 2\n"))
    load(write(tmp_path, "two.yaml", "seed: 1\n"))
    assert one.model.locate("layers").endswith("one.yaml:3")


class TestExtends:
    def test_the_child_wins_and_sections_merge(self, tmp_path):
        write(tmp_path, "base.yaml", "seed: 1\nmodel:\n  layers: 2\n  heads: 2\n")
        path = write(tmp_path, "x.yaml", "extends: base.yaml\nmodel:\n  heads: 8\n")
        config = load(path)
        assert (config.seed, config.model.layers, config.model.heads) == (1, 2, 8)

    def test_a_later_parent_wins(self, tmp_path):
        write(tmp_path, "a.yaml", "seed: 1\nname: a\n")
        write(tmp_path, "b.yaml", "seed: 2\n")
        config = load(write(tmp_path, "x.yaml", "extends: [a.yaml, b.yaml]\n"))
        assert (config.seed, config.name) == (2, "a")

    def test_paths_are_relative_to_the_file(self, tmp_path):
        write(tmp_path, "base.yaml", "seed: 3\n")
        write(tmp_path, "deep/mid.yaml", "extends: ../base.yaml\n")
        path = write(tmp_path, "deep/er/x.yaml", "extends: ../mid.yaml\n")
        assert load(path).seed == 3

    def test_a_shipped_config_has_a_name_and_a_file_beside_comes_first(self, tmp_path):
        for name in ("tiny_lm", "tiny_lm.yaml"):
            path = write(tmp_path, "mine.yaml", f"extends: {name}\n")
            assert load(path).train == load("configs/tiny_lm.yaml").train
        write(tmp_path, "tiny_lm.yaml", "seed: 3\n")
        assert load(write(tmp_path, "x.yaml", "extends: tiny_lm.yaml\n")).seed == 3

    def test_lists_replace_and_null_resets(self, tmp_path):
        write(tmp_path, "base.yaml", "tags: [a, b]\nmodel:\n  layers: 2\n")
        path = write(tmp_path, "x.yaml", "extends: base.yaml\ntags: [c]\nmodel: null\n")
        config = load(path)
        assert config.tags == ("c",)
        assert config.model == Config().model

    def test_the_order_of_keys_in_the_child_does_not_matter(self, tmp_path):
        write(tmp_path, "base.yaml", "seed: 1\n")
        assert (
            load(write(tmp_path, "x.yaml", "seed: 2\nextends: base.yaml\n")).seed == 2
        )

    @pytest.mark.parametrize(("length", "names"), [(1, "a"), (2, "ab"), (5, "abcde")])
    def test_circles_are_refused(self, length, names, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for one, two in zip(names, names[1:] + names[0], strict=True):
            write(tmp_path, f"{one}.yaml", f"# a comment\nextends: {two}.yaml\n")
        with pytest.raises(ConfigError) as caught:
            load("a.yaml")
        last = names[-1]
        expected = (
            f"{last}.yaml:2: extends: `a.yaml`: extends itself; break the circle."
        )
        assert str(caught.value) == expected

    def test_a_diamond_is_no_circle(self, tmp_path):
        write(tmp_path, "top.yaml", "seed: 4\n")
        write(tmp_path, "l.yaml", "extends: top.yaml\n")
        write(tmp_path, "r.yaml", "extends: top.yaml\n")
        assert load(write(tmp_path, "x.yaml", "extends: [l.yaml, r.yaml]")).seed == 4

    def test_a_fault_in_a_parent_is_placed_in_the_parent(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write(tmp_path, "base.yaml", "\nsed: 4\n")
        write(tmp_path, "x.yaml", "extends: base.yaml\nlr: 1\n")
        with pytest.raises(ConfigError) as caught:
            load("x.yaml", ["nope"])
        assert [fault.place for fault in caught.value.faults] == [
            "base.yaml:2",
            "x.yaml:2",
            "override `nope`",
        ]

    def test_a_tree_of_parents_cannot_explode(self, tmp_path):
        for i in range(12):
            parents = ", ".join([f"{i + 1}.yaml"] * 3)
            write(tmp_path, f"{i}.yaml", f"extends: [{parents}]\n")
        write(tmp_path, "12.yaml", "seed: 1\n")
        start = time.monotonic()
        with pytest.raises(ConfigError, match="more than 64 files"):
            load(tmp_path / "0.yaml")
        assert time.monotonic() - start < 1


class TestOverrides:
    def test_they_win_and_later_ones_win_over_earlier(self, tmp_path):
        path = write(tmp_path, "x.yaml", "seed: 1\n")
        assert load(path, ["seed=2", "seed=3"]).seed == 3

    def test_values_are_yaml(self):
        config = load(None, ["optim.betas=[0.5, 0.6]", "optim.clip=null", "tags=[a]"])
        assert config.optim.betas == (0.5, 0.6)
        assert config.optim.clip is None
        assert config.tags == ("a",)

    def test_notation_needs_no_quotes(self):
        text = "causal & (window(back=128) | ~first(4))"
        assert load(None, [f"model.mask={text}"]).model.mask == text
        assert load(None, ["model.mask=~causal"]).model.mask == "~causal"

    def test_a_whole_section_can_be_given(self):
        assert load(None, ["model={layers: 2, heads: 2}"]).model.layers == 2

    def test_dashes_of_habit_are_forgiven(self):
        assert load(None, ["--seed=3"]).seed == 3

    def test_an_equals_sign_may_stand_in_the_value(self):
        assert load(None, ["notes=a=b"]).notes == "a=b"

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("see issue #12", "see issue #12"),
            ("# TODO", "# TODO"),
            ("def ", "def "),
            (" ", " "),
            ("*.py", "*.py"),
            ("@@: [", "@@: ["),
            ("12", "12"),
            ("true", "true"),
            ("it's", "it's"),
            ('"a" and "b"', '"a" and "b"'),
            ('"def "', "def "),
            (r'"a\n#b"', "a\n#b"),
            ("'a # b' # a comment", "a # b"),
            ("null", "\n"),  # the task's own
        ],
    )
    def test_a_text_is_taken_as_it_is_unless_it_is_quoted(self, written, text):
        assert load(None, [f"sample.prompt={written}"]).sample.prompt == text

    def test_a_path_and_a_title_are_texts_too(self, tmp_path):
        path = "runs #1/x.txt "
        assert load(None, [f"data.path={path}"]).data.path == path
        (tmp_path / "s.yaml").write_text("study: {variants: {a: {}, b: {seed: 1}}}")
        many = load_many(tmp_path / "s.yaml", ["study.title=A # B"], "study")
        assert many.plan.title == "A # B"

    def test_what_is_no_text_is_yaml_with_its_comment(self):
        assert load(None, ["seed=3 # the third"]).seed == 3


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("1e-3", 1e-3), ("1E-3", 1e-3), (".001", 1e-3), ("1", 1.0), ("1.", 1.0),
         ("+1e-3", 1e-3), ("1_0", 10.0), ("1e-03", 1e-3)],
    )  # fmt: skip
    def test_a_number_is_read_as_everybody_expects(self, text, value):
        assert load(None, [f"optim.lr={text}"]).optim.lr == value

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (7, Duration(7, "steps")),
            ("7", Duration(7, "steps")),
            ("1step", Duration(1, "steps")),
            ("2_000 steps", Duration(2000, "steps")),
            ("2e6tokens", Duration(2e6, "tokens")),
            ("12.5%", Duration(12.5, "%")),
            ("5 min", Duration(5, "min")),
            ("1.5h", Duration(1.5, "h")),
            ("30s", Duration(30, "s")),
        ],
    )
    def test_durations(self, text, expected):
        assert parse_duration(text) == expected
        assert parse_duration(str(expected)) == expected

    @pytest.mark.parametrize("text", ["1.5", "x", "-3", "1e99", "null", "true", "[]"])
    def test_no_durations(self, text):
        with pytest.raises(ConfigError, match="expected a duration above 0"):
            load(None, [f"train.duration={text}"])


class TestDerived:
    def test_the_numbers_of_a_run(self):
        derived = resolve(
            load(
                None,
                ["data.batch=6", "data.context=7", "train.duration=1001tokens",
                 "optim.schedule.kind=wsd", "optim.schedule.warmup=84tokens",
                 "eval.every=50%", "log.every=1%", "optim.accumulate=3",
                 "train.budget=2min", "sample.every=null", "checkpoint.every=5"],
            )
        )  # fmt: skip
        assert derived.tokens_per_step == 42
        assert derived.steps == 24  # 1001 / 42 = 23.8, rounded up
        assert derived.tokens == 24 * 42
        assert derived.warmup == 2
        assert derived.decay == 5  # 20% of 24
        assert derived.eval_every == 12
        assert derived.log_every == 1  # 1% of 24 is less than a step
        assert derived.sample_every is None
        assert derived.checkpoint_every == 5
        assert derived.microbatch == 2
        assert derived.budget == 120

    def test_sizes_of_the_model(self):
        derived = resolve(load(None, ["model.width=96", "model.heads=6"]))
        assert (derived.head_width, derived.key_heads, derived.hidden) == (16, 6, 384)
        given = ["model.head_width=8", "model.key_heads=2", "model.hidden=5"]
        derived = resolve(load(None, given))
        assert (derived.head_width, derived.key_heads, derived.hidden) == (8, 2, 5)

    def test_a_path_overrules_the_source(self):
        assert resolve(load(None)).source == "stdlib"
        settings = ["data.source=tinyshakespeare", "data.path=x.txt"]
        assert resolve(load(None, settings)).source == "file"


def test_differences_are_listed_by_field():
    one, other = load(None), load(None, ["optim.lr=1e-2", "model.mask=window(back=3)"])
    assert differences(one, other) == [
        "model.mask: causal -> window(back=3)",
        "optim.lr: 0.001 -> 0.01",
    ]


def test_every_key_says_what_it_means():
    assert not [path for path, field in fields().items() if not field.description]
    schema = Config.model_json_schema()
    assert schema["properties"]["seed"]["description"]
