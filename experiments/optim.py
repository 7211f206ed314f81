"""Optimizers and schedules by config, out of optax."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from optax import contrib

MUON_MOMENTUM = 0.95  # Jordan et al., 2024; betas are those of the Adam beside it
MUON_ITERATIONS = 5
MUON_RMS = 0.2  # makes an update as large as AdamW's, so that one lr serves both

Schedule = Callable[[Array | int], Array]
Tree = Any  # a pytree of arrays


def role(path: tuple[Any, ...]) -> str:
    """What a parameter is, by its name: embedding, matrix or vector.

    Its number of axes would not do: layers that are scanned over stack their vectors.
    """
    names = [str(getattr(part, "key", getattr(part, "name", part))) for part in path]
    if names[-1] == "table" or (names[-1] == "kernel" and "head" in names):
        return "embedding"
    return "matrix" if names[-1] == "kernel" else "vector"


def roles(params: Tree) -> Tree:
    """The role of every parameter."""
    return jax.tree_util.tree_map_with_path(lambda path, _: role(path), params)


def decayed(params: Tree) -> Tree:
    """True where weight decay applies: on matrices and tables, not on vectors."""
    return jax.tree.map(lambda name: name != "vector", roles(params))


def cosine(lr: float, *, steps: int, warmup: int, decay: int, floor: float) -> Schedule:
    """Half a cosine, from lr after the warm-up down to floor * lr at the end."""
    del decay  # the cosine lasts for the rest of the run
    fall = optax.cosine_decay_schedule(lr, max(1, steps - warmup), alpha=floor)
    return _after_warmup(lr, warmup, fall)


def wsd(lr: float, *, steps: int, warmup: int, decay: int, floor: float) -> Schedule:
    """Warm-up, stable, and a straight fall to floor * lr over the last `decay` steps.

    Reference: Hu et al., 2024, arXiv 2404.06395, section 4.
    """
    stable = steps - warmup - decay
    fall = optax.linear_schedule(lr, floor * lr, decay, transition_begin=stable)
    return _after_warmup(lr, warmup, fall)


def constant(
    lr: float, *, steps: int, warmup: int, decay: int, floor: float
) -> Schedule:
    """The same rate after the warm-up."""
    del steps, decay, floor  # nothing falls
    return _after_warmup(lr, warmup, optax.constant_schedule(lr))


def _after_warmup(lr: float, warmup: int, rest: Schedule) -> Schedule:
    """A straight rise that is never 0: step i has lr * (i + 1) / (warmup + 1)."""
    rise = optax.linear_schedule(lr / (warmup + 1), lr, warmup)
    return optax.join_schedules([rise, rest], [warmup]) if warmup else rest


SCHEDULES = {"cosine": cosine, "wsd": wsd, "constant": constant}


def adamw(config: Any, schedule: Schedule) -> optax.GradientTransformation:
    """Adam with decoupled weight decay on matrices and tables.

    Reference: Loshchilov and Hutter, 2019, arXiv 1711.05101.
    """
    first, second = config.betas
    return optax.adamw(
        schedule,
        b1=first,
        b2=second,
        eps=config.eps,
        weight_decay=config.weight_decay,
        mask=decayed,
    )


def muon(config: Any, schedule: Schedule) -> optax.GradientTransformation:
    """Orthogonalised momentum for hidden matrices, AdamW for all other parameters.

    Reference: Jordan et al., 2024; Liu et al., 2025, arXiv 2502.16982, section 2.2,
      for the factor that lets both share one learning rate.
    """
    last_two = contrib.MuonDimensionNumbers(reduction_axis=-2, output_axis=-1)
    hidden = contrib.muon(
        schedule,
        ns_steps=config.newton_schulz or MUON_ITERATIONS,
        beta=MUON_MOMENTUM,
        weight_decay=config.weight_decay,
        consistent_rms=MUON_RMS,
        muon_weight_dimension_numbers=lambda tree: jax.tree.map(
            lambda _: last_two, tree
        ),
    )
    rest = adamw(config, schedule)
    return optax.partition(
        {"matrix": stacked(hidden), "embedding": rest, "vector": rest}, roles
    )


def sgd(config: Any, schedule: Schedule) -> optax.GradientTransformation:
    """Gradient descent with betas[0] as momentum, and decay on matrices and tables."""
    momentum = config.betas[0] or None
    decay = optax.add_decayed_weights(config.weight_decay, mask=decayed)
    return optax.chain(decay, optax.sgd(schedule, momentum=momentum))


OPTIMIZERS = {"adamw": adamw, "muon": muon, "sgd": sgd}


def make_schedule(config: Any, *, steps: int, warmup: int, decay: int) -> Schedule:
    """The learning rate as a function of the step, which counts from 0.

    Args:
      config: the `optim` section.
      steps: of the whole run.
      warmup: steps until the full rate.
      decay: steps of the final fall; wsd only.
    """
    schedule = SCHEDULES[config.schedule.kind]
    floor = config.schedule.floor
    return schedule(config.lr, steps=steps, warmup=warmup, decay=decay, floor=floor)


def make_optimizer(config: Any, schedule: Schedule) -> optax.GradientTransformation:
    """The optimizer of the `optim` section, with clipping by the global norm.

    Its moments and its updates are in float32 at least, whatever the parameters are.
    """
    rule = OPTIMIZERS[config.kind](config, schedule)
    if config.clip is None:
        return widened(rule)
    return widened(optax.chain(optax.clip_by_global_norm(config.clip), rule))


def wide(tree: Tree) -> Tree:
    """In float32 at least, the format of sums."""

    def widest(x: Array) -> Array:
        return x if jnp.finfo(x.dtype).bits >= 32 else x.astype(jnp.float32)

    return jax.tree.map(widest, tree)


def widened(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same rule on `wide` parameters and gradients.

    In bfloat16 a second moment stops where a change is below a 256th of it.
    """

    def init(params: Tree) -> Any:
        return rule.init(wide(params))

    def update(updates: Tree, state: Any, params: Tree | None = None):
        return rule.update(
            wide(updates), state, None if params is None else wide(params)
        )

    return optax.GradientTransformation(init, update)


def average(ema: Tree, params: Tree, decay: float, step: Array) -> Tree:
    """The moving average after one more step; it follows closely at first.

    The decay at step i is min(decay, (i + 1) / (i + 10)), so that the initial
    parameters do not weigh on a short run.
    """
    early = (step + 1.0) / (step + 10.0)
    keep = jnp.minimum(decay, early).astype(jnp.float32)
    return jax.tree.map(functools.partial(_mix, keep), ema, params)


def _mix(keep: Array, old: Array, new: Array) -> Array:
    mixed = keep * old.astype(jnp.float32) + (1 - keep) * new.astype(jnp.float32)
    return mixed.astype(old.dtype)


def stacked(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same rule on arrays of one shape stacked into one.

    For a rule that treats the last two axes and maps over the others: twenty-four
    matrices of a small model become three arrays, and compile eight times faster.
    """

    def init(params: Tree) -> Any:
        return rule.init(_stack(params))

    def update(updates: Tree, state: Any, params: Tree | None = None):
        tall = None if params is None else _stack(params)
        changed, state = rule.update(_stack(updates), state, tall)
        return _unstack(changed, updates), state

    return optax.GradientTransformation(init, update)


def _shape_name(array: Array) -> str:
    return f"{array.dtype}:" + "x".join(map(str, array.shape))


def _stack(tree: Tree) -> dict[str, Array]:
    groups: dict[str, list[Array]] = {}
    for leaf in jax.tree.leaves(tree):
        groups.setdefault(_shape_name(leaf), []).append(leaf)
    return {name: jnp.stack(leaves) for name, leaves in groups.items()}


def _unstack(groups: dict[str, Array], like: Tree) -> Tree:
    rows = {name: iter(group) for name, group in groups.items()}
    return jax.tree.map(lambda leaf: next(rows[_shape_name(leaf)]), like)
