"""A function taken apart: what its program does, and what makes its time worthless."""

import functools
import json

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import attn
from attn.backends import dispatch
from experiments.bench import hlo, study
from experiments.bench.program import dissect, explained, observed

x = jax.random.normal(jax.random.key(0), (64, 32))
y = jax.random.normal(jax.random.key(1), (32, 64))


def test_work_that_nobody_reads_is_noticed():
    dead = jax.jit(lambda x, y: (x @ y, x + 1)[1])
    program, _ = dissect(dead, (x, y), flops=2 * 64 * 32 * 64)
    said = " ".join(program.notes)
    assert "1 of 2 argument arrays are not read" in said
    assert "of the 2.62e+05 declared: work whose result nobody reads" in said


def test_a_static_argument_is_no_array_that_nobody_reads():
    power = jax.jit(lambda x, n: x**n, static_argnums=1)
    assert dissect(power, (x, 3))[0].notes == []


def test_a_declaration_that_is_wrong_is_no_proof_of_removed_work():
    program, _ = dissect(jax.jit(jnp.matmul), (x, y), flops=1e7)
    (note,) = program.notes
    assert "1e+07 FLOPs declared are 38.1 times the 2.62e+05 that XLA counts" in note
    assert "the declaration is wrong, or" in note


def test_a_declaration_that_is_too_small_is_noticed():
    program, _ = dissect(jax.jit(jnp.matmul), (x, y), flops=1e3)
    (note,) = program.notes
    assert note.startswith("XLA counts 2.62e+05 FLOPs, 262 times the 1e+03 declared")
    assert dissect(jax.jit(jnp.matmul), (x, y), flops=1e5)[0].notes == []


def test_a_count_that_xla_does_not_know_is_unknown():
    def call(x):
        return jax.pure_callback(lambda x: x, x, x)

    found = study(call, x, rounds=1, burst=0.01)
    assert found.program.xla_flops is None
    assert "XLA's count is unknown" in repr(found)


def test_arrays_that_are_closed_over_are_noticed():
    table = jax.random.normal(jax.random.key(2), (32, 1024))
    (note,) = dissect(jax.jit(lambda x: x @ table), (x,))[0].notes
    assert "bytes of constants are in the program: pass arrays as arguments" in note


def test_an_honest_function_has_no_notes_and_its_products_are_counted():
    program, text = dissect(jax.jit(jnp.matmul), (x, y), flops=2 * 64 * 32 * 64)
    assert program.notes == []
    assert program.operations["dots"] == 1
    assert program.argument_bytes == x.nbytes + y.nbytes
    assert program.operations["largest buffer"] == 64 * 64 * 4
    assert text.startswith("HloModule")


TEXT = """HloModule jit_f, entry_computation_layout={(f32[2,3]{1,0})->f32[3,2]{1,0}}

%inner (p: f32[2,3]) -> f32[3,2] {
  %p = f32[2,3]{1,0} parameter(0)
  %big = f32[999,999]{1,0} broadcast(%p), dimensions={0,1}
  ROOT %t = f32[3,2]{1,0} transpose(%p), dimensions={1,0}
}

%body (arg: (s32[], /*index=1*/bf16[64])) -> (s32[], /*index=1*/bf16[64]) {
  %arg = (s32[], bf16[64]{0}) parameter(0)
  %k = f32[8,8]{1,0} custom-call(%arg), custom_call_target="kernel_a"
  ROOT %d = f32[8,8]{1,0} dot(%k, %k), lhs_contracting_dims={1}
}

ENTRY %main (a: f32[2,3]) -> f32[3,2] {
  %a = f32[2,3]{1,0} parameter(0)
  %c = f32[5,7]{1,0} constant({...})
  %w = (s32[], bf16[64]{0}) while(%a), condition=%cond, body=%body
  %copy.1 = f32[2,3]{0,1} copy(%a)
  ROOT %f = f32[3,2]{1,0} fusion(%copy.1), kind=kLoop, calls=%inner
}
"""


def test_operations_are_counted_in_loops_and_fusions_and_buffers_outside_them():
    assert hlo.counted(TEXT) == {
        "dots": 1,
        "fusions": 1,
        "copies": 1,
        "transposes": 1,
        "loops": 1,
        "custom calls": 1,
        "largest buffer": 8 * 8 * 4,
        "constants": 5 * 7 * 4,
    }
    assert hlo.called(TEXT) == ["kernel_a"]
    assert hlo.parameters(TEXT) == 1


def test_a_study_of_a_users_function():
    query = jax.random.normal(jax.random.key(3), (1, 16, 2, 8))

    def attended(query, scale):
        return scale * attn.attend_heads(attn.causal, query, query, query).value

    longer = (jnp.ones((1, 24, 2, 8)), 2.0)
    found = study(attended, query, 2.0, others=[longer], rounds=2, burst=0.01)
    assert found.name == "attended"
    assert "query: shape (1, 16, 2, 8) -> shape (1, 24, 2, 8)" in found.recompiles[0]
    assert len(found.recompiles) == 1
    assert "dense" in found.program.backends[0]
    assert found.time.calls >= 6
    assert min(found.program.compile_seconds, found.first_seconds) > 0
    shown = repr(found)
    assert "attended on cpu" in shown
    assert " 1 dots" not in shown
    assert "runs, 2 heads at a time" in shown
    assert json.loads(json.dumps(found.to_json()))["program"]["operations"]["dots"] > 0


def test_a_study_takes_arguments_by_name_and_says_where_it_ran():
    scaled = jax.jit(lambda x, *, scale, n: n * scale * x, static_argnames="n")
    found = study(
        scaled, x, kwargs={"scale": y.T, "n": 2}, others=[(x,)], rounds=2, burst=0.01
    )
    assert found.recompiles == ()
    assert found.program.notes == []
    assert found.program.argument_bytes == 2 * x.nbytes
    said = json.loads(json.dumps(found.to_json()))
    assert {"date", "processor", "cores", "system", "versions"} <= {*said["about"]}
    assert said["rules"]["rounds"] == 2
    assert said["rules"]["threads"] >= 1
    assert len(said["load"]) == 2


def test_a_study_of_a_layer_jitted_by_flax_and_of_a_partial_function():
    layer = nnx.Linear(32, 3, rngs=nnx.Rngs(0))
    for function, name in (
        (nnx.jit(lambda layer, x: layer(x)), "<lambda>"),
        (functools.partial(nnx.Linear.__call__), "__call__"),
    ):
        found = study(function, layer, x, rounds=1, burst=0.01)
        assert found.program.operations["dots"] == 1
        assert found.name == name


def test_the_peak_of_a_function_with_static_arguments_and_names():
    def tall(x, times, *, scale):
        return scale * jnp.tile(x, (times, 1))

    jitted = jax.jit(tall, static_argnums=1)
    thin = jnp.ones((1, 1000))
    given = {"scale": jnp.float32(2)}
    found = study(jitted, thin, 5000, kwargs=given, peak=True, rounds=1, burst=0.01)
    assert found.peak_bytes is not None
    assert found.peak_bytes > 0.9 * 5000 * 1000 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "expected rounds of at least 1, got 0"),
        ({"burst": float("nan")}, "expected a burst of some seconds, got nan"),
        ({"burst": float("inf")}, "expected a burst of some seconds, got inf"),
        ({"others": [x]}, r"tuple of arguments in others\[0\], got ArrayImpl; write"),
    ],
)
def test_what_measures_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=f"study: .*{message}"):
        study(jnp.sin, x, **options)


def attending(spec="causal", shape=(1, 256, 2, 8), **options):
    """What a program says of the attention inside."""
    query = jax.random.normal(jax.random.key(5), shape)
    slopes = jnp.arange(1.0, 3.0)

    def call(query, slopes):
        made = spec(slopes) if callable(spec) else spec
        return attn.attend_heads(made, query, query, query, **options).value

    jax.clear_caches()
    with observed() as seen:
        jax.jit(call).trace(query, slopes)
    assert dispatch.choices.get() is None  # nobody hears of what comes later
    return explained(seen)


def test_the_backend_that_was_asked_for_is_the_one_that_runs():
    (auto,) = attending()
    assert "blockwise  runs, 2 heads at a time" in auto
    assert "asked for" not in auto
    (dense,) = attending(backend="dense")
    assert "dense      runs, 2 heads at a time" in dense
    assert "blockwise  could run" in dense
    assert dense.splitlines()[-1] == "  asked for: dense"
    assert attending(backend="blockwise") == [auto]  # auto's choice by name


def test_the_one_head_of_a_lifted_call_is_no_call_of_its_own():
    assert len(attending(shape=(1, 256, 1, 8))) == 1
    assert len(attending(shape=(1, 256, 1, 8), backend="dense")) == 1


def test_a_spec_with_traced_arrays_is_told_after_the_trace():
    (told,) = attending(lambda slopes: attn.alibi(attn.per_head(slopes)))
    assert "runs" in told


def test_donated_arguments_are_copied_for_each_call():
    donating = jax.jit(lambda state, x: (state + x, x.sum()), donate_argnums=0)
    state = jnp.zeros((64, 32))
    found = study(donating, state, x, rounds=2, burst=0.01)
    assert found.time.calls >= 6
    assert not state.is_deleted()


def test_the_peak_of_a_fresh_process_grows_with_the_temporaries():
    thin = jax.random.normal(jax.random.key(4), (3000, 2), jnp.bfloat16)

    def noisy(key, thin, scale):
        noise = jax.random.normal(key, (3000, 3000), thin.dtype)
        return scale * (noise @ thin), jax.random.split(key)

    given = jax.random.key(0), thin, jnp.bfloat16(2)
    found = study(noisy, *given, peak=True, rounds=1, burst=0.01)
    assert found.peak_bytes is not None
    assert found.peak_bytes > 3000 * 3000 * 2
