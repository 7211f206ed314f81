"""The text form of a spec, read by a whitelist over `ast`; nothing is evaluated."""

import ast
import difflib
import functools
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

from attn.spec.dropout import Dropout
from attn.spec.field import cast, per_batch, per_head
from attn.spec.logit import Logits
from attn.spec.logits import LOGITS
from attn.spec.mask import Mask
from attn.spec.masks import MASKS
from attn.spec.mechanism import Attention
from attn.spec.normalizers import NORMALIZERS
from attn.spec.piece import Piece
from attn.spec.positions import POSITIONS
from attn.spec.scaling import SCALINGS
from attn.spec.similarity import SIMILARITIES

# A comment, or a quoted word, in which a # is nothing special.
COMMENT = re.compile(r"""('[^']*'|"[^"]*")|#.*""")
LONGEST = 100_000  # characters; a longer text is data, and wants an array
OPERATORS: dict[type, tuple[str, Callable]] = {
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
    ast.RShift: (">>", operator.rshift),
}


DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64"),
)


class NotationError(ValueError):
    """A text that is not notation; the message says where and what to write."""


def array(values: Any, dtype: str = "float32", shape: Any = None) -> np.ndarray:
    """An array of any dtype and shape: `array(2.0, 'float64')`."""
    if dtype not in DTYPES:
        raise ValueError(f"array: unknown dtype {dtype!r}; one of {', '.join(DTYPES)}.")
    try:
        made = cast(values, jnp.dtype(dtype))
    except ValueError as error:
        raise ValueError(f"array: {error}") from None
    made = np.array(made if shape is None else made.reshape(shape))
    made.flags.writeable = False  # `parse` gives who writes the same the same piece
    return made


PIECES: dict[str, Any] = {
    **SIMILARITIES,
    **LOGITS,
    **MASKS,
    **NORMALIZERS,
    **POSITIONS,
    **SCALINGS,
    "dropout": Dropout(),
    "Attention": Attention,
}
WORDS = {
    **PIECES,
    "per_head": per_head,
    "per_batch": per_batch,
    "array": array,
    "inf": float("inf"),
    "nan": float("nan"),
}


def parse(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """Reads the notation; `parse(repr(spec)) == spec`.

    Args:
      text: For example `causal & window(back=128)` or `softcap(50) >> alibi`. Pieces of
        several kinds may stand side by side, `causal, softcap(50)`, and make an
        `Attention`. It may have several lines, and comments from # to a line's end.
      names: The user's own functions, pieces and arrays by name.

    Returns:
      The piece, or an `Attention`.

    Raises:
      NotationError: The text is no notation, a name is unknown (the nearest is named),
        or an argument is wrong. The text is never evaluated.
    """
    if not isinstance(text, str):
        raise NotationError(f"notation: expected a text, got {type(text).__name__}.")
    return _known(text) if not names else _read(text, names)


@functools.lru_cache(maxsize=256)
def _known(text: str) -> Piece:
    """Reading takes as long as a small attention, and a text means always the same."""
    return _read(text, {})


def _read(text: str, names: Mapping[str, Any]) -> Piece:
    lines = (COMMENT.sub(r"\1", line) for line in text.splitlines())
    text = " ".join(lines).strip()
    if len(text) > LONGEST:
        raise NotationError(
            f"notation: {len(text)} characters is too long, at most {LONGEST} are "
            "read; give arrays in Python instead, by names={'table': array}."
        )
    try:
        return _finish(text, _Reader(text, {**WORDS, **names}).value(_tree(text)))
    except NotationError:
        raise
    except (RecursionError, MemoryError):
        raise NotationError(
            "notation: too many brackets in brackets; give the parts by names=."
        ) from None
    except ValueError as error:  # what a piece says of its arguments
        raise NotationError(f"notation: {error}") from None


def _tree(text: str) -> ast.expr:
    """The syntax of a text."""
    try:
        return ast.parse(text, mode="eval").body if text else ast.Tuple([])
    except (SyntaxError, ValueError) as error:  # ValueError: a NUL, up to Python 3.11.3
        reason = str(getattr(error, "msg", error)).split(";")[0]
        raise NotationError(
            f"notation: cannot read `{_short(text)}`: {reason}."
        ) from None


def _finish(text: str, result: Any) -> Piece:
    """The piece that a whole text means."""
    if isinstance(result, tuple) and result:
        return Attention.of(*result)
    if result is Attention:
        return Attention()
    if isinstance(result, type):
        raise NotationError(
            f"notation: `{_short(text)}` needs arguments; write "
            f"`{_short(text)}{_signature(result)}`."
        )
    if not isinstance(result, Piece):
        got = f"`{_short(text)}`" if text else "an empty text"
        raise NotationError(f"notation: expected a piece such as `causal`, got {got}.")
    return result


def _short(text: str) -> str:
    """At most one line of a text, for a message."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


class _Reader:
    """Reads one text; every node that is not named here is refused."""

    def __init__(self, text: str, words: Mapping[str, Any]):
        self.text, self.words = text, words

    def value(self, node: ast.AST) -> Any:
        reader = getattr(self, f"_{type(node).__name__}", None)
        return self.refuse(node) if reader is None else reader(node)

    def source(self, node: ast.AST) -> str:
        return _short(ast.get_source_segment(self.text, node) or type(node).__name__)  # pyright: ignore[reportArgumentType]

    def refuse(self, node: ast.AST) -> NoReturn:
        raise NotationError(
            f"notation: `{self.source(node)}` is Python, not notation; write names, "
            "calls with numbers, `& | ~ ^` between masks, `>>` between logits pieces."
        )

    def _Constant(self, node: ast.Constant) -> Any:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 2**63:
            raise NotationError(
                f"notation: `{self.source(node)}` is too large for a whole number; "
                "write it with a point or an exponent."
            )
        if isinstance(value, (bool, int, float, str, type(None))):
            return value
        return self.refuse(node)

    def _Name(self, node: ast.Name) -> Any:
        if node.id in self.words:
            return self.words[node.id]
        near = difflib.get_close_matches(node.id.lower(), self.words, 1, 0.5)
        hint = f"did you mean `{near[0]}`?" if near else "`attn list` shows all names."
        raise NotationError(f"notation: unknown name `{node.id}`; {hint}")

    def _List(self, node: ast.List) -> Any:
        return [self.value(item) for item in node.elts]

    def _Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.value(item) for item in node.elts)

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Invert) and isinstance(value, Mask):
            return ~value
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(node.op, ast.USub) and number:
            return -value
        return self.refuse(node)

    def _BinOp(self, node: ast.BinOp) -> Any:
        if type(node.op) not in OPERATORS:
            self.refuse(node)
        symbol, apply = OPERATORS[type(node.op)]
        left, right = self.value(node.left), self.value(node.right)
        kind, plural = (Logits, "logits pieces") if symbol == ">>" else (Mask, "masks")
        for side, at in ((left, node.left), (right, node.right)):
            if not isinstance(side, kind):
                raise NotationError(
                    f"notation: `{symbol}` joins {plural}, and `{self.source(at)}` is "
                    f"{_describe(side)}."
                )
        return apply(left, right)

    def _Call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name):
            self.refuse(node)
        function = self._Name(node.func)
        if not (isinstance(function, Piece) or _is_maker(function)):
            raise NotationError(
                f"notation: `{node.func.id}` takes no arguments here, got "
                f"`{self.source(node)}`."
            )
        given = [keyword.arg for keyword in node.keywords]
        if None in given:
            self.refuse(node)
        if len(set(given)) < len(given):
            raise NotationError(
                f"notation: `{self.source(node)}` gives one argument twice."
            )
        args = [self.value(argument) for argument in node.args]
        named = {str(k.arg): self.value(k.value) for k in node.keywords}
        try:
            return function(*args, **named)
        except TypeError as error:
            signature = _signature(function)
            reason = str(error).split("__init__() ")[-1]
            raise NotationError(
                f"notation: `{self.source(node)}`: {reason}; expected "
                f"`{node.func.id}{signature}`."
            ) from None


_MAKERS = [x for x in WORDS.values() if isinstance(x, type)] + [array]


def _is_maker(function: Any) -> bool:
    """By identity: a user's array has no truth value."""
    return any(function is maker for maker in _MAKERS)


def _signature(function: Any) -> str:
    maker = type(function) if isinstance(function, Piece) else function
    names = []
    for name, parameter in inspect.signature(maker).parameters.items():
        if parameter.default is parameter.empty:
            names.append(name)
        else:
            names.append(f"{name}={parameter.default!r}")
    return f"({', '.join(names)})"


def _describe(value: Any) -> str:
    if isinstance(value, Piece):
        return f"a {value.kind} piece"
    if isinstance(value, type):
        return "a piece without its arguments"
    return "a number" if isinstance(value, (int, float)) else type(value).__name__
