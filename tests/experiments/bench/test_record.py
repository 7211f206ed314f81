"""A record comes back from its file; two are compared; its page asks nobody."""

import copy
import dataclasses
import re

import pytest

from experiments.bench import diff, page, plots, record, suite, table
from experiments.bench import words as as_words
from experiments.bench.cases import Case, Goal
from experiments.bench.race import CONTROL, OURS, Result, Rules
from experiments.bench.statistics import is_level
from experiments.bench.suite import new, reached, row
from experiments.bench.work import AttentionWork, CompileWork
from experiments.errors import UserError

PROGRAM = {
    "temporary_bytes": 5_000_000,
    "argument_bytes": 3000,
    "output_bytes": 1000,
    "flops": 2e6,
    "operations": {"dots": 6, "copies": 2},
    "backends": ["causal\n  dense  runs, 2 heads at a time"],
    "notes": [],
}
CEILINGS = {
    kind: {"rate": rate, "library": "jax", "unit": "x", "meaning": "y", "all": {}}
    for kind, rate in (
        ("matmul", 9e10),
        ("batched", 7e10),
        ("copy", 2e10),
        ("exp", 1e9),
        ("dispatch", 1e5),
    )
}


def measured(length=512, ours=1e-3, dots=6):
    case = Case(
        AttentionWork(length=length), (Goal("jax.nn", 3, 4), Goal("flex"), Goal("<b>"))
    )
    program = PROGRAM | {"operations": {"dots": dots, "copies": 2}}
    found = {
        OURS: Result(OURS, rounds=[[ours] * 3] * 5, facts={"program": program}),
        CONTROL: Result(CONTROL, rounds=[[ours] * 3] * 5),
        "jax.nn": Result("jax.nn", rounds=[[3.5e-3] * 3] * 5, error=1e-7),
        "flex": Result("flex", refused="FlexAttention has no backward on CPU"),
        "<b>": Result("<b>", refused="<script>alert(1)</script>"),
    }
    rows = [row(each, found, case.goals, 1e-4) for each in found.values()]
    ratio = rows[1].ratio
    assert ratio is not None
    work = case.work
    return record.Measured(
        work.label, work.to_json(), rows, (0.1, 0.2), is_level(ratio), 3.0, 2
    )


@pytest.fixture
def made():
    made = new("attention", Rules())
    made.ceilings = CEILINGS
    made.cases = [measured(length, length / 5e5) for length in (256, 512, 1024)]
    made.planned = 3
    return made


def test_it_comes_back_from_its_file(made, tmp_path):
    path = tmp_path / "deep" / "record.json"
    made.write(path)
    assert record.load(path) == made
    assert made.invalid == []
    rounds = made.cases[0].rows[0].rounds[0]
    assert f"[{', '.join(map(repr, rounds))}]" in path.read_text()  # on one line


def test_a_case_that_cannot_be_written_is_not_in_the_record(tmp_path, monkeypatch):
    record_of_none, case = new("compile", Rules()), Case(CompileWork(), ())
    monkeypatch.setattr(suite, "platform", lambda: "cpu")
    monkeypatch.setattr(suite, "measure", lambda *_: measured())
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        suite.run([case], Rules(), record_of_none, tmp_path / "file" / "x.json")
    assert record_of_none.cases == []
    suite.run([case], Rules(), record_of_none, tmp_path / "x.json")
    assert len(record_of_none.cases) == 1
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["file", "x.html", "x.json"]


def test_a_platform_that_jax_cannot_start_is_one_line(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    suite.platform.cache_clear()
    with pytest.raises(UserError, match=r"attn bench: JAX cannot start here: .*abacus"):
        suite.platform()


def test_what_is_no_record_is_said(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[1]")
    with pytest.raises(UserError, match=r"x.json: no record of `attn bench`"):
        record.load(path)
    path.write_text('{"schema": 99}')
    with pytest.raises(UserError, match="expected schema 1, got 99"):
        record.load(path)
    path.write_text('{"schema": 1}')
    with pytest.raises(UserError, match="the record has no 'cases'; measure again"):
        record.load(path)
    path.write_text('{"schema": 1, "cases": [3]}')
    with pytest.raises(UserError, match="the record is damaged; measure again"):
        record.load(path)


def test_the_table_shows_ratios_goals_and_reasons(made):
    said = "\n".join(table.lines(made))
    assert re.search(r"jax.nn +3.50 ms +0.0 us +3.42 x .* 3 .*we are faster, met", said)
    assert "flex           not run: FlexAttention has no backward on CPU" in said
    assert "ours: dense runs, 2 heads at a time" in said
    assert "2 of 3 goals met, 1 of them at their stretch." in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(12.34, "12.3 s"), (2.65059, "2.65 s"), (0.0123, "12.30 ms"), (4e-6, "4.0 us")],
)
def test_a_time_reads_the_same_in_the_terminal_and_on_the_page(seconds, said):
    ours = Result(OURS, rounds=[[seconds] * 3] * 5)
    made = row(ours, {OURS: ours}, ())
    assert said in table.row_line(made)
    assert as_words.took(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 copy"), (2, "2 copies"), (0, "0 copies")]
)
def test_a_count_agrees_with_its_noun(count, said):
    assert as_words.counted(count, "copy", "copies") == said


def test_a_backend_that_was_asked_for_is_named_as_such(made):
    program = made.cases[0].rows[0].facts["program"]
    program["backends"] = [
        "causal\n  dense      runs, 2 heads at a time\n  blockwise  could run\n"
        "  asked for: dense"
    ]
    said = list(table.notes(made.cases[0]))
    assert said == ["ours: dense runs, 2 heads at a time, as asked for"]


def test_a_run_that_is_cut_short_or_not_quiet_is_invalid(made):
    made.planned = 4
    made.cases[0] = record.Measured(**{**vars(made.cases[0]), "load": (9.0, 9.0)})
    assert made.invalid == [
        f"{made.cases[0].label}: the load before it was 9.0 on 2 cores; run again on a"
        " quiet machine",
        "3 of 4 cases were measured",
    ]
    assert "INVALID: 3 of 4 cases were measured." in "\n".join(table.lines(made))


def test_a_goal_may_be_a_bound_from_above():
    bound = Goal("deep", 1.5, 1.2, at_most=True)
    verdicts = [reached(value, bound) for value in (1.6, 1.4, 1.1)]
    assert verdicts == ["missed", "met", "stretch"]


def test_the_page_allows_no_script_and_no_address_and_shows_everything(made):
    html = page.render(made)
    assert "default-src &#x27;none&#x27;; script-src" in html
    assert not re.search(r"(https?:)?//[a-z]", html.replace("http-equiv", ""))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert not re.search(r'\sstyle="', html)  # the policy would drop it
    for words in (
        "Roofline",
        "Time over length",
        "T^1.00",
        "not run: Flex",
        "90 GFLOP",
    ):
        assert words in html


def test_the_page_shows_stages_memory_operations_backends_and_load(made):
    program = made.cases[0].rows[0].facts["program"]
    program |= {"trace_seconds": 0.0123, "compile_seconds": 0.5, "xla_flops": 3e6}
    made.cases[0].rows[0].facts["peak_bytes"] = 7e8
    made.cases[0].rows[2].facts["kernel"] = "aten::sdpa"
    html = page.render(dataclasses.replace(made, cases=made.cases[:1]))
    assert "1 case ·" in html
    assert "load 0.1 before, 0.2 after" in html
    for name, value in {
        "trace": "12.30 ms",
        "compile": "500.00 ms",
        "temporary bytes": "5.0 MB",
        "peak of the process": "700.0 MB",
        "FLOPs, ours": "2e+06",
        "FLOPs, XLA&#x27;s count": "3e+06",
        "dots": "6",
    }.items():
        assert f'<th scope="row">{name}</th><td>{value}</td>' in html
    assert "<td>aten::sdpa</td>" in html
    assert "<pre>causal\n  dense  runs, 2 heads at a time</pre>" in html
    assert "<details><summary>" in html
    made.cases[0].work["suite"] = "compile"
    assert "<details open><summary>" in page.render(made)


def test_the_page_has_no_interval_of_few_rounds_and_shows_notes(made):
    case = made.cases[0]
    rounds = [[1e-3 + n / 1e4] for n in range(6)]
    case.rows[0] = dataclasses.replace(case.rows[0], rounds=rounds)
    case.rows[2] = dataclasses.replace(case.rows[2], rounds=rounds[:2])
    case.rows[0].facts["program"]["notes"] = ["1 of 2 <arrays> are not read"]
    html = page.render(dataclasses.replace(made, cases=[case]))
    assert "<td>not judged</td>" in html
    assert html.count('class="whisker"') == 1
    assert "ours: 1 of 2 &lt;arrays&gt; are not read." in html


def test_the_ceilings_differ_in_dash_and_are_named_at_their_lines(made):
    html = page.render(made)
    for look, name in (("d0", "matmul, 90 GFLOP/s"), ("d1", "batched, 70 GFLOP/s")):
        assert f'class="line ceiling {look}"' in html
        assert f'class="swatch ceiling {look}"' in html
        assert f">{name}</text>" in html


@pytest.mark.parametrize(
    ("value", "is_binary", "said"),
    [
        (2**36, True, "64 Gi"),
        (2**19, True, "512 Ki"),
        (64, True, "64"),
        (68.7195e9, False, "68.7 G"),
        (2e-5, False, "20 u"),
        (1e3, False, "1 k"),
    ],
)
def test_a_label_on_an_axis_is_short(value, is_binary, said):
    assert plots.short(value, plots.Axis("x", is_binary=is_binary)) == said


def test_marks_are_powers_of_two_or_round_numbers():
    assert plots.marks((60, 600), plots.Axis("T", is_binary=True)) == [
        64,
        128,
        256,
        512,
    ]
    assert plots.marks((1.5, 24), plots.Axis("s")) == [2, 5, 10, 20]
    assert plots.marks((0.5, 2e3), plots.Axis("s")) == [1, 10, 100, 1000]


def test_a_difference_says_time_ratio_and_operations(made, tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    made.write(one)
    made.cases = [measured(256, 256 / 5e5), measured(512, 1.3e-3, dots=9)]
    made.about["versions"] = made.about["versions"] | {"jax": "99"}
    made.write(two)
    said = "\n".join(diff.diff(one, two))
    assert re.search("jax: [0-9.]+ -> 99", said)
    assert "ours: 1.02 ms -> 1.30 ms, 1.27 x, slower now" in said
    assert "ours: dots: 6 -> 9" in said
    assert "jax.nn: ratio 3.42 -> 2.69" in said
    assert "causal 4x1024x8x64 fwd: only in the first" in said
    assert "ours: 512.0 us -> 512.0 us, 1.00 x, level" in said


def test_a_difference_says_compile_time_peak_and_which_backend(made):
    one, two = made.cases[0], copy.deepcopy(made.cases[0])
    for case, took, peak in ((one, 1.0, 10e6), (two, 2.5, 20e6)):
        facts = case.rows[0].facts
        facts["peak_bytes"] = peak
        facts["program"] = facts["program"] | {"compile_seconds": took}
    program = two.rows[0].facts["program"]
    program["backends"] = [
        "causal\n  dense  could run\n  fused  runs, 1 head at a time"
    ]
    both = [dataclasses.replace(made, cases=[each]) for each in (one, two)]
    said = "\n".join(diff.records(*both))
    assert re.search("ours: compile 1.00 s -> 2.50 s", said)
    assert "ours: peak of the process 10.0 MB -> 20.0 MB" in said
    assert "ours: backend, before: dense runs, 2 heads at a time" in said
    assert "ours: backend, now: fused runs, 1 head at a time" in said


def test_a_difference_of_other_machines_or_of_invalid_runs_says_so(made):
    about = made.about | {"processor": "abacus", "cores": 1}
    two = dataclasses.replace(made, about=about, planned=9)
    said = diff.records(made, two)
    assert said[0].endswith(" -> abacus")
    assert said[1].endswith(" -> 1")
    assert said[2] == "INVALID, the second: 3 of 9 cases were measured."
    assert not any("INVALID" in line for line in diff.records(made, made))


def test_records_that_share_no_case_are_refused(made):
    other = dataclasses.replace(made, cases=[measured(2048)])
    with pytest.raises(UserError, match="the two records share no case; the first has"):
        diff.records(made, other)


def test_two_programs_differ_in_their_operations(tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    line = "  %d = f32[2,2]{1,0} dot(%a, %a)\n"
    one.write_text(
        "HloModule f\n\nENTRY %m (a: f32[2,2]) -> f32[2,2] {\n" + line + "}\n"
    )
    two.write_text(one.read_text().replace(line, line * 2))
    assert diff.diff(one, two) == ["dots: 1 -> 2"]
    assert diff.diff(one, one) == ["The operations are the same in number."]
