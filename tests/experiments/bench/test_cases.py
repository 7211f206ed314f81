"""The tables agree with each other, and studies of one's own with them."""

import ast
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from experiments.bench.asked import Asked, chosen
from experiments.bench.cases import SUITES, of_suite
from experiments.bench.contender import Refused
from experiments.bench.fit import check_here
from experiments.bench.own import read_study
from experiments.bench.race import Rules, distance
from experiments.bench.rivals import CONTENDERS, flax_mha, layer, ours
from experiments.bench.rivals.jax_nn import attention as jax_nn
from experiments.bench.rivals.plain import attention as plain
from experiments.bench.work import AttentionWork, LayerWork, read
from experiments.config import ConfigError
from experiments.errors import UserError

CASES = [case for cases in SUITES.values() for case in cases]


def test_every_case_has_its_own_label_and_comes_back_from_json():
    assert len({each.work.label for each in CASES}) == len(CASES)
    for each in CASES:
        assert read(json.loads(json.dumps(each.work.to_json()))) == each.work


def test_every_rival_of_a_case_stands_in_the_table():
    for each in CASES:
        assert {goal.rival for goal in each.goals} <= set(CONTENDERS[each.suite])


@pytest.mark.parametrize("suite", CONTENDERS)
def test_every_contender_is_a_function_of_its_file(suite):
    assert next(iter(CONTENDERS[suite])) == "ours"
    for target in CONTENDERS[suite].values():
        module, _, name = target.partition(":")
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(pathlib.Path(spec.origin).read_text())  # torch may be missing
        found = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
        assert name in [each.name for each in found], target


@pytest.mark.parametrize(
    "spec", ["causal", "causal & window(back=2)", "softcap(50) >> alibi, causal"]
)
def test_contenders_in_jax_agree(spec):
    work = AttentionWork(spec, batch=1, length=7, heads=2, width=3)
    first = ours.attention(work, {})
    given = {name: np.asarray(x) for name, x in first.given().items()}
    assert distance(first.outputs(), plain(work, given).outputs()) < 1e-5
    if "alibi" not in spec:
        assert distance(first.outputs(), jax_nn(work, given).outputs()) < 1e-5


@pytest.mark.parametrize("rival", [jax_nn, plain])
@pytest.mark.parametrize("backward", [False, True])
def test_a_dense_mask_is_an_argument_of_the_rivals_program(rival, backward):
    spec = "causal & window(back=2)"
    work = AttentionWork(spec, batch=1, length=97, heads=2, width=3, backward=backward)
    first = ours.attention(work, {})
    found = rival(work, {name: np.asarray(x) for name, x in first.given().items()})
    program = found.facts["program"]
    assert program["operations"]["constants"] < 97
    assert program["argument_bytes"] >= 97 * 97
    assert distance(first.outputs(), found.outputs()) < 1e-5


@pytest.mark.parametrize("rival", ["flax", "equinox"])
def test_a_layer_makes_its_causal_mask_in_its_program(rival):
    pytest.importorskip(rival)
    module, _, name = CONTENDERS["layer"][rival].partition(":")
    contender = getattr(importlib.import_module(module), name)
    work = LayerWork(batch=1, length=97, heads=3, width=15)
    program = contender(work, {}).facts["program"]
    assert program["operations"]["constants"] < 97 * 97


def test_documents_are_told_and_counted():
    work = AttentionWork(
        "causal & segments", batch=1, length=8, heads=1, width=4, documents=2
    )
    first = ours.attention(work, {})
    mask = first.given()["mask"]
    assert mask.sum() == 2 * 10  # two triangles of four tokens
    assert first.facts["program"]["flops"] == 20 * 4 * 4


@pytest.mark.slow
@pytest.mark.parametrize("rival", ["flax", "equinox", "torch", "x-transformers"])
def test_layers_of_others_agree(rival):
    modules = {"torch": "torch", "x-transformers": "x_transformers"}
    pytest.importorskip(modules.get(rival, rival))
    work = LayerWork(batch=2, length=7, heads=3, width=15)

    def outputs(name):
        module, _, function = CONTENDERS["layer"][name].partition(":")
        return getattr(importlib.import_module(module), function)(work, {}).outputs()

    assert distance(outputs("ours"), outputs(rival)) < 1e-5


class TestAsked:
    def test_a_suite_is_its_brief_cases_and_all_of_them_on_request(self):
        assert chosen(Asked("attention")) == of_suite("attention")
        everything = chosen(Asked("attention", everything=True))
        assert everything == list(SUITES["attention"])
        assert len(chosen(Asked("flash_grid"))) == 48

    def test_a_case_of_ones_own(self):
        one, two = chosen(
            Asked("attention", spec="causal", shape="1x32x2x8", rivals="torch, flex")
        )
        assert one.work == AttentionWork("causal", 1, 32, 2, 8)
        assert two.work.backward
        assert [goal.rival for goal in one.goals] == ["torch", "flex"]

    def test_a_case_that_asks_for_documents_has_some_and_says_how_many(self):
        one, _ = chosen(Asked("attention", spec="causal & segments", shape="1x64x1x16"))
        assert one.work.documents == 8
        assert one.work.label == "causal & segments 1x64x1x16 fwd 8 documents"

    def test_a_layer_of_ones_own_has_the_spec(self):
        one, _ = chosen(Asked("layer", spec="everything", shape="1x5x2x3"))
        assert one.work == LayerWork(1, 5, 2, 6, False, spec="everything")
        assert one.work.label == "everything layer 1x5x2x3 fwd"
        open_, closed = (
            layer.attention(work, {}).outputs()
            for work in (one.work, LayerWork(1, 5, 2, 6, False))
        )
        assert distance(open_, closed) > 0.1
        with pytest.raises(Refused, match="causal mask, not with everyth"):
            flax_mha.attention(one.work, {})

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            (Asked("atention"), "no suite 'atention'. Did you mean `attention`?"),
            (Asked("step", rivals="tourch"), "no rival 'tourch'. Did you mean `torch`"),
            (Asked("step", shape="1x2x3x4"), "--spec and --shape are of attention"),
            (Asked("attention", shape="1x0x2x4"), "--shape expected 4 whole numbers"),
            (Asked("layer", backend="dense"), "--backend is of attention, not layer"),
            (Asked("attention", backend="dens"), "no backend 'dens'. Did you mean"),
            (
                Asked("attention", spec="causal", everything=True),
                "--all is of the cases of a suite; leave it out with --spec",
            ),
            (
                Asked("layer", spec="causal & segments"),
                "it needs segment for each token, which a case of layer has not",
            ),
            (Asked("attention", rivals="torch, torch"), "--rivals has 'torch' twice"),
            (Asked("attention", only="zzz"), "no case of attention contains 'zzz'"),
        ],
    )
    def test_a_mistake_is_one_line(self, asked, message):
        with pytest.raises(UserError) as error:
            chosen(asked)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


class TestHere:
    def test_cases_of_another_platform_are_refused_at_once_unless_forced(self):
        cases = chosen(Asked("flash_grid"))
        with pytest.raises(UserError, match="is for a gpu, and this is a cpu; measure"):
            check_here(cases, "cpu", force=False)
        check_here(cases, "cpu", force=True)
        check_here(cases, "gpu", force=False)

    def test_a_backend_that_refuses_every_case_is_told_first(self):
        cases = chosen(Asked("attention", backend="pallas"))
        with pytest.raises(UserError, match=r"backend pallas refuses causal .* on CPU"):
            check_here(cases, "cpu", force=False)
        dense = chosen(Asked("attention", backend="dense"))
        check_here([*cases, *dense], "cpu", force=False)


class TestOwnStudy:
    def write(self, tmp_path, text):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return path

    def test_it_is_read(self, tmp_path):
        text = """suite: attention
rounds: 9
rivals: [torch]
cases:
  - {spec: everything, length: 64, backward: true}
  - {length: 32, rivals: [flex]}
"""
        suite, cases, rules = read_study(self.write(tmp_path, text), Rules())
        assert suite == "attention"
        assert rules == Rules(rounds=9)
        assert cases[0].work == AttentionWork("everything", length=64, backward=True)
        names = [[goal.rival for goal in case.goals] for case in cases]
        assert names == [["torch"], ["flex"]]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("suite: atention\n", ":1: suite: unknown suite `atention`. Did you mean"),
            ("suite: step\n", ": cases: expected a list of at least one case."),
            ("round: 3\n", ":1: round: unknown key. Did you mean `rounds`?"),
            ("- 1\n", ": expected `suite:` and `cases:`."),
            (
                "suite: step\ncases:\n  - {layer: 3}\n",
                ":3: cases[0].layer: unknown key. Did you mean `layers`?",
            ),
            (
                "suite: step\ncases:\n  - layers: 3\n    heads: two\n",
                ":4: cases[0].heads: expected a whole number of at least 1, got `two`.",
            ),
            (
                "suite: attention\ncases:\n  - {spec: causl}\n",
                ":3: cases[0].spec: ",
            ),
            (
                "suite: attention\ncases:\n  - {spec: segments}\n",
                ":3: cases[0].spec: it needs documents; say how many, like",
            ),
            (
                "suite: step\nrivals: null\ncases: [{}]\n",
                ":2: rivals: expected a list of names, got nothing (null).",
            ),
            (
                "suite: step\nrivals: 3\ncases: [{}]\n",
                ":2: rivals: expected a list of names, got `3`.",
            ),
            (
                "suite: step\ncases: [{rivals: torch}]\n",
                ":2: cases[0].rivals: expected a list of names, got `torch`.",
            ),
            (
                "suite: step\ncases: [{rivals: [jax.nn]}]\n",
                ":2: cases[0].rivals: unknown rival `jax.nn`. Known: one a call, torch",
            ),
            (
                "suite: step\nrivals: [torch, torch]\ncases: [{}]\n",
                ":2: rivals: has `torch` twice; keep one.",
            ),
            ("suite: [step]\n", ":1: suite: unknown suite `[step]`."),
            (
                "suite: step\nburst: -1.0\ncases: [{}]\n",
                ":2: burst: expected a number of at least 0.01, got `-1.0`.",
            ),
            (
                "suite: attention\ncases: [{dtype: float64}]\n",
                ":2: cases[0].dtype: unknown dtype `float64`. Did you mean `float16`?",
            ),
            (
                "suite: attention\ncases: [{backend: dens}]\n",
                ":2: cases[0].backend: unknown backend `dens`. Did you mean `dense`?",
            ),
            (
                "suite: attention\ncases: [{length: 3}, {}, {length: 3}]\n",
                ":2: cases[2]: is cases[0] again; keep one.",
            ),
            (
                "suite: layer\ncases: [{heads: 5, width: 64}]\n",
                ":2: cases[0]: heads must divide width, got 5 heads and width 64.",
            ),
            (
                "suite: recipe\ncases: [{config: studdy.yaml}]\n",
                "no such file. Did you mean `study.yaml`?",
            ),
            (
                "suite: recipe\ncases: [{config: mqar}]\n",
                ":2: cases[0]: the config mqar learns mqar, not a text; name one that",
            ),
            (
                "suite: recipe\ncases: [{below: -1}]\n",
                ":2: cases[0].below: expected a number of at least 0.01, got `-1`.",
            ),
            (
                "suite: step\ncases: [{options: [3]}]\n",
                ":2: cases[0].options: expected a list of texts, got `[3]`.",
            ),
            (
                "suite: compile\ncases: [{options: [model.scann=true]}]\n",
                ":2: cases[0]: override `model.scann=true`: unknown key. Did you mean",
            ),
        ],
    )
    def test_a_fault_has_its_line(self, tmp_path, text, message, monkeypatch):
        monkeypatch.chdir(tmp_path)  # where a config is looked for
        with pytest.raises(ConfigError) as error:
            read_study(self.write(tmp_path, text), Rules())
        assert message in str(error.value)
        assert str(error.value)[-2:] != "?."

    def test_what_the_list_of_cases_says_can_be_written(self, tmp_path):
        for case in (each for cases in SUITES.values() for each in cases):
            fields = {k: x for k, x in case.work.to_json().items() if k != "suite"}
            text = json.dumps({"suite": case.suite, "cases": [fields]})
            _, (found,), _ = read_study(self.write(tmp_path, text), Rules())
            assert found.work == case.work

    def test_a_file_that_is_no_text_is_one_line(self, tmp_path):
        path = tmp_path / "study.yaml"
        path.write_bytes(b"suite: \xff\xfe")
        with pytest.raises(ConfigError, match=r"study\.yaml: not UTF-8 text\.$"):
            read_study(path, Rules())
