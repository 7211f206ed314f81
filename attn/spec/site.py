"""Where queries and keys stand: positions, segments and other per-token data."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from attn.numerics import finite
from attn.spec.data import Data
from attn.spec.field import ByValue, check_kept, check_reach, is_varying

POSITIONS = ("query_pos", "key_pos")
ONE_NUMBER = (*POSITIONS, "segment")  # of each token, so never [T, F]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class At(ByValue):
    """Per-token data of both sides; made by `at(...)`, None where not given."""

    query_pos: Any = None
    key_pos: Any = None
    query: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in POSITIONS:
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, _positions(name, getattr(self, name)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Site(ByValue):
    """What a mask or a logits piece sees of a tile.

    Attributes:
      query_pos: [T, 1] int32, absolute positions of the queries.
      key_pos: [1, S] int32, absolute positions of the keys.
      query: Per-token arrays of the queries, [T, 1, ...].
      key: Per-token arrays of the keys, [1, S, ...].
    """

    query_pos: Any
    key_pos: Any
    query: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def distance(self) -> Any:
        """Query position minus key position, [T, S]: positive for earlier keys."""
        return self.query_pos - self.key_pos

    def visible(self, allowed: Any) -> "Site":
        """The site with hidden keys moved onto their query, in data of both sides too.

        A user's function then never sees a distance that the mask forbids, so that
        `log(distance + 1)` gives no NaN and no NaN gradient behind a causal mask.

        Returns:
          The site, its key positions and data [T, S, ...] where they differ from query
          to query.
        """
        key_pos = jnp.where(allowed, self.key_pos, self.query_pos)
        key = {n: _moved(x, self.query.get(n), allowed) for n, x in self.key.items()}
        return dataclasses.replace(self, key_pos=key_pos, key=Data("key", key))

    def by_query(self, function: Callable[..., Any], logits: Any) -> Any:
        """`function(logits, site)`, whose site has the shapes that the class names.

        Where the keys of a visible site stand elsewhere for each query, the function
        is called with one query at a time.
        """
        if len(self.key_pos) == 1:
            return function(logits, self)
        axes = jax.tree.map(lambda x: None if len(x) == 1 else 0, self)
        site = jax.tree.map(lambda x: x if len(x) == 1 else x[:, None], self)
        return jax.vmap(function, (0, axes))(logits[:, None], site)[:, 0]


def _moved(key: Any, query: Any, allowed: Any) -> Any:
    """Data of the keys [1, S, ...], those of the query where a key is hidden.

    What the queries have no like of stays, as far as it is a number.
    """
    allowed = jnp.reshape(allowed, (*allowed.shape, *[1] * (key.ndim - 2)))
    kind = lambda x: (x.shape[2:], x.dtype)  # noqa: E731
    if query is not None and kind(query) == kind(key):
        return jnp.where(allowed, key, query)
    if not jnp.issubdtype(key.dtype, jnp.floating):
        return key
    return jnp.where(allowed, key, finite(key))


def at(
    query_pos: Any = None,
    key_pos: Any = None,
    *,
    positions: Any = None,
    segment: Any = None,
    query: dict[str, Any] | None = None,
    key: dict[str, Any] | None = None,
) -> At:
    """Says where queries and keys stand.

    Args:
      query_pos: [T] ints, absolute positions of the queries.
      key_pos: [S] ints, absolute positions of the keys.
      positions: [T] ints for both sides at once, where T == S.
      segment: [T] ints for both sides: the document of each token (`segments`).
      query: Any other per-token arrays of the queries by name, [T, ...].
      key: Any other per-token arrays of the keys by name, [S, ...].

    Returns:
      A pytree for the `at` argument of `attend` and `attend_heads`; for the latter
      each array may also have a batch axis in front, of length B, or 1 where the batch
      shares it.

    Raises:
      ValueError: `positions` is given together with `query_pos` or `key_pos`; they
        are no whole numbers; or other data have the name of one of them.
    """
    if positions is not None:
        if query_pos is not None or key_pos is not None:
            raise ValueError(
                "at: give either `positions` (both sides) or `query_pos` and "
                "`key_pos`, got both."
            )
        query_pos = key_pos = _positions("positions", positions)
    for side, given in (("query", query), ("key", key)):
        if not isinstance(given, dict | None):
            got = type(given).__name__
            raise ValueError(f"at: `{side}` must be a dict of arrays, got {got}.")
    both = {} if segment is None else {"segment": segment}
    sides = [
        {n: as_data(f"at: `{n}`", x) for n, x in {**(given or {}), **both}.items()}
        for given in (query, key)
    ]
    taken = [name for name in POSITIONS for side in sides if name in side]
    if taken:
        raise ValueError(
            f"at: `{taken[0]}` is the name of positions, not of other data; give "
            f"at({taken[0]}=...)."
        )
    return At(
        _positions("query_pos", query_pos), _positions("key_pos", key_pos), *sides
    )


def _positions(name: str, x: Any) -> Any:
    """Positions as an array: whole numbers, since a mask compares them exactly."""
    array = inner = as_data(f"at: `{name}`", x)
    while is_varying(inner):
        inner = inner.value
    if inner is not None and not jnp.issubdtype(inner.dtype, jnp.integer):
        raise ValueError(
            f"at: `{name}` must be whole numbers, got {inner.dtype}; give fractions "
            "as data of your own, for example query={'time': ...}."
        )
    try:
        check_reach(inner)
    except ValueError as error:
        raise ValueError(f"at: `{name}`: {error}") from None
    return array


def as_data(what: str, x: Any) -> Any:
    """Data as an array of the numbers that were given, or ValueError about `what`."""
    if x is None or is_varying(x):
        return x
    try:
        check_kept(x)
        return jnp.asarray(x)
    except OverflowError:
        raise ValueError(f"{what} must fit int32, got {x!r}.") from None
    except TypeError:
        raise ValueError(f"{what} must be an array, got {x!r}.") from None
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def check_at(who: str, at: Any) -> None:
    """Refuses what is no `At`."""
    if not isinstance(at, At):
        raise ValueError(
            f"{who}: `at` must come from attn.at, got {type(at).__name__}; write for "
            "example at=attn.at(positions=...)."
        )


class Reader(Protocol):
    """What reads a site: a piece, or a probe."""

    def needs_positions(self) -> bool:
        """Whether it compares positions."""
        ...

    def needs_data(self) -> tuple[str, ...]:
        """The per-token data that it reads on both sides."""
        ...


def resolve(where: At | None, t: int, s: int, *readers: Reader) -> At:
    """Fills in default positions and checks lengths.

    Args:
      where: What the caller gave, or None.
      t: Number of queries.
      s: Number of keys.
      *readers: Decide whether positions matter, and which data there must be.

    Returns:
      An `At` whose positions are int32 arrays [T] and [S]; the values of any whole
      dtype are kept.

    Raises:
      ValueError: T != S, a reader compares positions, and nobody said where the
        queries stand; data that a reader needs are missing; or an array has the wrong
        length.
    """
    where = At() if where is None else where
    check_sites(where, t, s, *readers)
    query_pos, key_pos = (
        jnp.arange(size, dtype=jnp.int32) if given is None else given.astype(jnp.int32)
        for given, size in ((where.query_pos, t), (where.key_pos, s))
    )
    return At(query_pos, key_pos, where.query, where.key)


def check_sites(where: At, t: int, s: int, *readers: Reader) -> None:
    """The checks of `resolve`, which look at shapes only."""
    for reader in readers:
        _check_reader(where, t, s, reader)
    for side, size, letter in (("query", t, "T"), ("key", s, "S")):
        data = {f"{side}_pos": getattr(where, f"{side}_pos"), **getattr(where, side)}
        for name, array in data.items():
            single = name in ONE_NUMBER
            if array is None or _is_by_token(array, size, single):
                continue
            expected = f"[{letter}]" if single else f"[{letter}, ...]"
            raise ValueError(
                f"attend: `at` has {side} data `{name}` of shape {array.shape}, "
                f"expected {expected} with {letter}={size}."
            )


def _is_by_token(array: Any, size: int, single: bool) -> bool:
    """Whether an array has `size` tokens, of one number each where it is `single`."""
    return array.shape[:1] == (size,) and not (single and array.ndim > 1)


def _check_reader(where: At, t: int, s: int, reader: Reader) -> None:
    """Checks that what a reader needs was given."""
    if where.query_pos is None and t != s and reader.needs_positions():
        raise ValueError(
            f"attend: {reader!r} compares positions and T={t} differs from S={s}: say "
            "where the queries stand, for example "
            "at=attn.at(query_pos=jnp.arange(S - T, S))."
        )
    for name in reader.needs_data():
        for side, data in (("query", where.query), ("key", where.key)):
            if name not in data:
                raise ValueError(
                    f"attend: {reader!r} needs `{name}` and the {side} side has none: "
                    f"give at=attn.at({name}=...) with one number per token."
                )


def whole(where: At) -> Site:
    """The site of everything: one tile."""
    query = Data("query", {name: x[:, None] for name, x in where.query.items()})
    key = Data("key", {name: x[None] for name, x in where.key.items()})
    return Site(where.query_pos[:, None], where.key_pos[None], query, key)
