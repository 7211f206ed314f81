"""What JAX traces and compiles, how long that takes, and which argument was the cause.

Watching costs nothing while nothing is compiled: JAX announces each compilation, and
only then are the arguments of a watched call looked at.

    with Compilations() as seen:
        step = seen.watch(jax.jit(step))
        ...
    for each in seen.again:
        print(each)
"""

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import jax
from jax import monitoring
from jax.api_util import shaped_abstractify

TRACE = "/jax/core/compile/jaxpr_trace_duration"
LOWER = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILE = "/jax/core/compile/backend_compile_duration"
HIT = "/jax/compilation_cache/cache_hits"
MISS = "/jax/compilation_cache/cache_misses"
SETTING = "no argument changed: a setting of JAX, or a cache that was cleared"
STRUCTURE = "the structure"

Signature = dict[str, tuple[str, ...]]  # path of a leaf -> what a compilation knows


@dataclass(frozen=True)
class Recompile:
    """One call that compiled although its function had been compiled before.

    Args:
      function: its name.
      cause: which argument changed, from what to what.
      seconds: that tracing, lowering and compiling took.
      call: which call of the function it was, counted from 1.
    """

    function: str
    cause: str
    seconds: float
    call: int

    def __str__(self) -> str:
        return (
            f"{self.function} compiled again at call {self.call:,}"
            f" ({self.seconds:.2f} s): {self.cause}"
        )


@dataclass
class Compilations:
    """Counts what JAX compiles while it is open; use it with `with`.

    Attributes:
      traces: functions traced; inner ones count, as JAX announces them.
      compiles: programs compiled, or loaded from the persistent cache.
      hits, misses: of the persistent cache.
      seconds: event -> seconds, for TRACE, LOWER and COMPILE.
      again: the recompilations of watched functions.
    """

    traces: int = 0
    compiles: int = 0
    hits: int = 0
    misses: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    again: list[Recompile] = field(default_factory=list)
    _thread: int = 0

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        monitoring.register_event_duration_secs_listener(self._took)
        monitoring.register_event_listener(self._happened)
        return self

    def __exit__(self, *_: object) -> None:
        monitoring.unregister_event_duration_listener(self._took)
        monitoring.unregister_event_listener(self._happened)

    @property
    def total(self) -> float:
        """Seconds of tracing, lowering and compiling."""
        return sum(self.seconds.values())

    def watch(
        self, function: Callable, name: str | None = None, *compiled: tuple
    ) -> Callable:
        """The function, with every compilation after its first noted in `again`.

        Args:
          function: jitted; arguments may be donated.
          name: for the record; None is its own.
          *compiled: arguments that it has been compiled for before.
        """
        label = name or getattr(function, "__name__", type(function).__name__)
        known = [signature(function, args, {}) for args in compiled]
        calls = 0

        def watched(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            before, seconds = self.compiles, self.total
            result = function(*args, **kwargs)
            fresh = self.compiles != before
            if fresh or not known:  # the first may find its program made already
                # Shapes outlive donation, so they can be read after the call.
                now = signature(function, args, kwargs)
                if known:
                    took = self.total - seconds
                    self.again.append(Recompile(label, cause(known, now), took, calls))
                known.append(now)
            return result

        return watched

    def _took(self, event: str, duration_secs: float, **_: Any) -> None:
        if event not in (TRACE, LOWER, COMPILE):
            return
        if threading.get_ident() != self._thread:
            return  # a data loader's own, say
        self.seconds[event] = self.seconds.get(event, 0.0) + duration_secs
        self.traces += event == TRACE
        self.compiles += event == COMPILE

    def _happened(self, event: str, **_: Any) -> None:
        self.hits += event == HIT
        self.misses += event == MISS


def signature(function: Callable, args: tuple, kwargs: dict) -> Signature:
    """What a compilation depends on, leaf by leaf under the names of the parameters."""
    named = _named(function, args, kwargs)
    leaves, structure = jax.tree_util.tree_flatten_with_path(named)
    found = {jax.tree_util.keystr(path): _leaf(x) for path, x in leaves}
    return found | {STRUCTURE: (str(structure), "")}


def _named(function: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)
    except (TypeError, ValueError):  # a function that does not tell its parameters
        return {f"argument {n}": x for n, x in enumerate(args)} | kwargs


def _leaf(x: Any) -> tuple[str, ...]:
    """What a compilation knows of a leaf; the value of a Python one comes last.

    Whether a number was static is for the function to know: where nothing but values
    differs, it was.
    """
    value = "" if hasattr(x, "shape") else f"value {x!r}"[:200]
    try:
        shaped: Any = shaped_abstractify(x)
    except TypeError:
        return ("static", value)
    committed = getattr(x, "committed", False)  # else JAX places it where it likes
    place = f"placed by {x.sharding}" if committed else "placed anywhere"
    weak = "weak type" if shaped.weak_type else "strong type"
    return f"shape {shaped.shape}", f"dtype {shaped.dtype}", weak, place, value


def cause(known: list[Signature], now: Signature) -> str:
    """Which leaves differ from the nearest signature that was compiled before."""
    nearest = min(reversed(known), key=lambda each: len(_changed(each, now)))
    changed = _changed(nearest, now) or _changed(nearest, now, values=True)
    leaves = [path for path in changed if path != STRUCTURE]
    if not changed:
        return SETTING
    said = [_change(path, nearest.get(path), now.get(path)) for path in leaves[:3]]
    if len(leaves) > 3:
        said.append(f"and {len(leaves) - 3} more")
    return "; ".join(said) or "the structure of the arguments changed"


def _changed(one: Signature, two: Signature, values: bool = False) -> list[str]:
    """The paths that differ; the values of Python numbers count only if asked."""

    def told(leaf: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return leaf if values or leaf is None or leaf[0] == "static" else leaf[:-1]

    return [path for path in one | two if told(one.get(path)) != told(two.get(path))]


def _change(path: str, old: tuple | None, new: tuple | None) -> str:
    name = path.removeprefix("['").replace("']", "", 1)
    if old is None or new is None:
        return f"{name} is {'new' if old is None else 'gone'}"
    pairs = [
        f"{a} -> {b}" for a, b in zip(old, new, strict=False) if a != b and a and b
    ]
    values = [each for each in pairs if each.startswith("value ")]
    return f"{name}: {', '.join([x for x in pairs if x not in values] or values)}"
