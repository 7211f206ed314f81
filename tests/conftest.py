"""Strictness that is on in tests and off in production."""

import os
import pathlib

import jax
import pytest

# A shape or a dtype that only works by silent promotion is a defect here.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Runs find an empty cache folder: that of this session, which its workers share.

    What one test has compiled another reads back, as a user's second run does.
    """
    base = pathlib.Path(tmp_path_factory.getbasetemp())
    mine = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(mine / "user-cache"))
        yield


def pytest_collection_modifyitems(items):
    """The longest test comes first: at the end one worker would wait for the other."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
