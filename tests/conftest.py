"""Strictness that is on in tests and off in production."""

import jax

# A shape or a dtype that only works by silent promotion is a defect here.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
