"""The pure train and eval steps, and many of them in one compiled call.

The number of steps of a call is traced and its results go to a buffer of fixed size.
So one compilation serves every length, and what is computed does not depend on how the
run is cut into calls: a run stopped anywhere goes on bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments.optim import Schedule, average, wide
from experiments.tally import tally

Tree = Any  # a pytree of arrays
Forward = Callable[[Any, Any, Array | None], Array]  # (model, batch, rng) -> logits
Apply = Callable[[Tree, Tree, Any, Array | None], Array]
METRICS = ("loss", "grad_norm", "lr")
INIT_STREAM, DROPOUT_STREAM = 0, 1  # keep the draws of one seed apart


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """All that training changes.

    Args:
      step: int32, steps taken so far.
      params: nested dict of arrays.
      optimizer: optax's state.
      ema: averaged params, in float32 at least, or None.
    """

    step: Array
    params: Tree
    optimizer: Any
    ema: Tree | None

    @property
    def best_params(self) -> Tree:
        """What evaluation and sampling read: averaged params where there are any."""
        return self.params if self.ema is None else self.ema


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inputs:
    """All that training reads and never changes.

    Args:
      data: the task's arrays.
      constants: the model's arrays that are not learned.
      seed: uint32.
    """

    data: Tree
    constants: Tree
    seed: Array


@dataclass(frozen=True)
class Training:
    """What a step is made of; everything here is static.

    Args:
      apply: (params, constants, batch, rng) -> logits [..., V], one row for each of
        the batch's targets.
      optimizer: optax transformation.
      schedule: step -> learning rate, for the record.
      batch: the task's (arrays, seed, split, step) -> Batch.
      mesh: its axis `data` shares the batch.
      accumulate: parts a batch is computed in.
      ema: decay of averaged params, or None.
      whole: whether an example's answer is judged as a whole, too.
    """

    apply: Apply
    optimizer: optax.GradientTransformation
    schedule: Schedule
    batch: Callable[[Tree, Array, str, Array], Any]
    mesh: Mesh
    accumulate: int = 1
    ema: float | None = None
    whole: bool = False

    @property
    def replicated(self) -> NamedSharding:
        """The placement of state and data: whole on every device."""
        return NamedSharding(self.mesh, PartitionSpec())


def split(model: nnx.Module, forward: Forward) -> tuple[Apply, Tree, Tree]:
    """A module as a pure function, its parameters and its constants, nested dicts."""
    graph, params, constants = nnx.split(model, nnx.Param, ...)

    def apply(params: Tree, constants: Tree, batch: Any, rng: Array | None):
        state = nnx.merge_state(nnx.State(params), nnx.State(constants))
        return forward(nnx.merge(graph, state), batch, rng)

    return apply, nnx.to_pure_dict(params), nnx.to_pure_dict(constants)


def initial_state(training: Training, params: Tree) -> State:
    """The state before the first step."""
    ema = None if training.ema is None else wide(jax.tree.map(jnp.copy, params))
    return State(jnp.zeros((), jnp.int32), params, training.optimizer.init(params), ema)


def stream(seed: Array | int, number: int) -> Array:
    """The random key of one use of a seed.

    The generator is named, so that the environment's default cannot change a run.
    """
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), number)


def cross_entropy(logits: Array, targets: Array) -> Array:
    """Nats of each target: logits [..., V], targets [...] int32 to [...] float32."""
    return optax.softmax_cross_entropy_with_integer_labels(
        logits.astype(jnp.float32), targets
    )


def gradients(
    training: Training, params: Tree, constants: Tree, batch: Any, rng: Array
) -> tuple[Array, Tree]:
    """The loss, a weighted mean over the batch, and its gradient, float32 at least.

    With `accumulate` the parts are summed against the weight of the whole batch, so
    the result is that of the undivided batch up to rounding.
    """
    total = jnp.maximum(batch.weights.sum(), 1e-9)  # a batch may have no target

    def loss(params: Tree, part: Any, rng: Array) -> Array:
        logits = training.apply(params, constants, part, rng)
        return (cross_entropy(logits, part.targets) * part.weights).sum() / total

    def found(part: Any, rng: Array) -> tuple[Array, Tree]:
        return wide(jax.value_and_grad(loss)(params, part, rng))

    if training.accumulate == 1:
        return found(_shard(training, batch), rng)

    def add(sums: tuple[Array, Tree], part: tuple[Any, Array]):
        return jax.tree.map(jnp.add, sums, found(*part)), None

    zeros = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, wide(params)))
    parts = (_parts(training, batch), jax.random.split(rng, training.accumulate))
    return jax.lax.scan(add, zeros, parts)[0]


def _shard(training: Training, batch: Any) -> Any:
    """Axis 0 of each array over the devices."""
    rows = NamedSharding(training.mesh, PartitionSpec("data"))
    return jax.lax.with_sharding_constraint(batch, rows)


def _parts(training: Training, batch: Any) -> Any:
    """Each array [B, ...] as [accumulate, B / accumulate, ...]."""
    count = training.accumulate
    rows = NamedSharding(training.mesh, PartitionSpec(None, "data"))
    cut = jax.tree.map(
        # Rows i, i + count, ... make part i, so that no row changes its device.
        lambda x: x.reshape(-1, count, *x.shape[1:]).swapaxes(0, 1),
        batch,
    )
    return jax.lax.with_sharding_constraint(cut, rows)


def train_step(
    training: Training, state: State, inputs: Inputs
) -> tuple[State, dict[str, Array]]:
    """One optimizer step: batch, loss, gradient, update.

    Returns:
      The next state, and METRICS as float32 scalars.
    """
    batch = training.batch(inputs.data, inputs.seed, "train", state.step)
    rng = jax.random.fold_in(stream(inputs.seed, DROPOUT_STREAM), state.step)
    loss, grads = gradients(training, state.params, inputs.constants, batch, rng)
    updates, optimizer = training.optimizer.update(grads, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if training.ema is not None:
        ema = average(ema, params, training.ema, state.step)
    lr = jnp.asarray(training.schedule(state.step), jnp.float32)
    found = (loss, optax.tree.norm(grads).astype(jnp.float32), lr)
    after = State(state.step + 1, params, optimizer, ema)
    return after, dict(zip(METRICS, found, strict=True))


def train_steps(training: Training, most: int) -> Callable[..., Any]:
    """Many steps as a pure function: (state, inputs, count) -> (state, metrics, done).

    Args:
      training: what a step is made of.
      most: the longest call in steps, the size of the buffer.

    Returns:
      A function that takes `count` steps, or fewer if loss or gradient are not finite;
      metrics are [most] arrays of which the first `done` are set. Under `vmap` each
      lane ends by itself, and one that has ended keeps its state.
    """

    def call(state: State, inputs: Inputs, count: Array):
        buffer = {name: jnp.zeros(most, jnp.float32) for name in METRICS}

        def unfinished(carry):
            _, _, done, finite = carry
            return (done < count) & finite

        def body(carry):
            state, buffer, done, _ = carry
            state, row = train_step(training, state, inputs)
            buffer = {name: buffer[name].at[done].set(row[name]) for name in METRICS}
            finite = jnp.isfinite(row["loss"]) & jnp.isfinite(row["grad_norm"])
            return state, buffer, done + 1, finite

        start = (state, buffer, jnp.zeros((), jnp.int32), jnp.asarray(True))
        state, buffer, done, _ = jax.lax.while_loop(unfinished, body, start)
        return state, buffer, done

    return call


def make_train_call(training: Training, most: int) -> Callable[..., Any]:
    """`train_steps`, compiled once; it consumes the state that it is given."""
    call = train_steps(training, most)
    return jax.jit(call, donate_argnums=0, out_shardings=training.replicated)


def eval_step(
    training: Training, params: Tree, inputs: Inputs, step: Array
) -> dict[str, Array]:
    """What one validation batch adds to the score, as `tally` says.

    In as many parts as a training batch: what fits there fits here.
    """
    batch = training.batch(inputs.data, inputs.seed, "validation", step)

    def score(part: Any) -> dict[str, Array]:
        logits = training.apply(params, inputs.constants, part, None)
        nats = cross_entropy(logits, part.targets)
        return tally(part, logits, nats, whole=training.whole)

    if training.accumulate == 1:
        return score(_shard(training, batch))
    parts = jax.lax.map(score, _parts(training, batch))
    return {name: each.sum() for name, each in parts.items()}


def eval_batches(training: Training, most: int) -> Callable[..., Any]:
    """A pure function: (params, inputs, first, count) -> sums [most] per batch."""

    def call(params: Tree, inputs: Inputs, first: Array, count: Array):
        def body(i, buffer):
            found = eval_step(training, params, inputs, first + i)
            return {name: buffer[name].at[i].set(found[name]) for name in buffer}

        names = jax.eval_shape(partial(eval_step, training), params, inputs, first)
        buffer = {name: jnp.zeros(most, jnp.float32) for name in names}
        return jax.lax.fori_loop(0, count, body, buffer)

    return call


def make_eval_call(training: Training, most: int) -> Callable[..., Any]:
    """`eval_batches`, compiled once."""
    return jax.jit(eval_batches(training, most), out_shardings=training.replicated)
