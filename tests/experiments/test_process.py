"""Settings of the process: made once, at the start, and never by the library."""

import os
import subprocess
import sys

import numpy as np
import pytest

from experiments import process
from experiments.process import ProcessError, Settings


def python(code: str, **environment: str) -> str:
    """What a fresh process prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_settings_reach_jax_and_keep_the_users_own_flags():
    code = """
from experiments.process import Settings, made, prepare, start_jax
flag = "--xla_cpu_multi_thread_eigen=true"
settings = Settings(simulated_devices=3, xla_flags=flag, platform="cpu")
prepare(settings)
print(made()["allocator"])
import os; print(os.environ["XLA_FLAGS"])
start_jax(settings)
import jax; print(jax.local_device_count())
"""
    own = "--xla_cpu_multi_thread_eigen=false"
    allocator, flags, devices = python(code, XLA_FLAGS=own).splitlines()
    assert allocator in ("keeps freed memory", "no mallopt here")
    assert flags.split() == ["--xla_cpu_multi_thread_eigen=true", own]
    assert devices == "3"


def test_importing_the_library_changes_nothing():
    code = """
import os
before = dict(os.environ)
import ctypes
ctypes.CDLL = lambda *a: (_ for _ in ()).throw(AssertionError("a library was loaded"))
import attn
assert dict(os.environ) == before
print("same")
"""
    assert python(code).strip() == "same"


def test_an_unknown_flag_is_refused_before_xla_aborts_on_it():
    with pytest.raises(ProcessError, match="no flag `--xla_no_such_thing`"):
        process.append_xla_flags("--xla_no_such_thing=1")
    with pytest.raises(ProcessError, match="expected --xla_name=value, got `fast`"):
        process.append_xla_flags("fast")


def test_without_flags_the_environment_stays(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")
    assert process.append_xla_flags("  ") == "--xla_cpu_multi_thread_eigen=true"
    assert os.environ["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"


def test_flags_after_jax_are_warned_about(monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "")
    process.append_xla_flags("--xla_cpu_multi_thread_eigen=true")
    assert "too late" in capsys.readouterr().err


def test_the_allocator_can_be_left_alone():
    process.prepare(Settings(allocator=False))
    assert process.made()["allocator"] == "left alone"


def test_a_platform_that_is_not_there_is_one_line():
    code = """
from experiments.process import ProcessError, Settings, start_jax
try:
    start_jax(Settings(platform="tpu"))
except ProcessError as error:
    print(error)
"""
    found = python(code, JAX_PLATFORMS="cpu")
    assert found.startswith("platform: no tpu can be used here")
    assert found.count("\n") == 1


A_GPU = """
from jax._src import xla_bridge

class Gpu:  # a CPU that says it is a GPU
    def __init__(self):
        self.inner = xla_bridge.make_cpu_client()
    platform = "gpu"
    def __getattr__(self, name):
        return getattr(self.inner, name)

xla_bridge.hardware_utils.has_visible_nvidia_gpu = lambda: True
xla_bridge._backend_factories.pop("cuda", None)
xla_bridge.register_backend_factory("cuda", Gpu, priority=200, fail_quietly=False)
"""


@pytest.mark.parametrize("environment", ["", "cpu", "cuda"])
def test_a_gpu_of_one_kind_is_enough(environment):
    """JAX knows no ROCm and no oneAPI here, as with every NVIDIA GPU."""
    code = """
from experiments.process import Settings, start_jax
start_jax(Settings(platform="gpu"))
import jax
print(jax.default_backend(), jax.local_device_count("cpu"))
"""
    assert python(A_GPU + code, JAX_PLATFORMS=environment).strip() == "gpu 1"


def test_a_gpu_that_is_not_there_is_one_line():
    code = """
from jax._src import hardware_utils
hardware_utils.has_visible_nvidia_gpu = lambda: False
from experiments.process import ProcessError, Settings, start_jax
try:
    start_jax(Settings(platform="gpu"))
except ProcessError as error:
    print(error)
"""
    found = python(code)
    assert found == (
        "platform: no gpu can be used here (JAX found cpu only). Install the `cuda`"
        " extra, or say platform=cpu or platform=null.\n"
    )


def test_the_age_of_the_process_grows():
    first = process.seconds_since_start()
    assert 0 < first <= process.seconds_since_start() < 1e6


def test_a_peak_is_not_that_of_whoever_started_the_process():
    big = np.ones(40_000_000)
    code = "from experiments import process; print(process.host_peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert 1 << 20 < int(done.stdout) < big.nbytes


def test_the_peak_of_a_child_is_known_once_it_has_ended():
    code = """
import subprocess, sys
from experiments import process
print(process.children_peak_bytes())
subprocess.run([sys.executable, "-c", "x = b'x' * (300 << 20)"], check=True)
print(process.children_peak_bytes())
"""
    before, after = map(int, python(code).split())
    assert before == 0
    assert 300 << 20 < after < 450 << 20
