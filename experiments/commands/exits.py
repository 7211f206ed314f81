"""Exit codes, and the one place where an error becomes a line for the user."""

import errno
import re
import sys
import traceback

from experiments.errors import UserError, is_users

DONE = 0
INTERNAL = 1  # a defect of ours
USER = 2  # a mistake with a remedy
DIVERGED = 3  # the loss is not finite
STOPPED = 75  # EX_TEMPFAIL: saved, resumable
INTERRUPTED = 130  # 128 + SIGINT

FULL = (errno.ENOSPC, errno.EDQUOT)


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the text for an error that reached the command line."""
    if hasattr(error, "format_message"):  # typer's: a wrong option or verb
        return USER, _usage(error)
    if isinstance(error, UserError):
        return USER, str(error)
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return INTERRUPTED, "Interrupted."
    if isinstance(error, OSError) and error.errno is not None:
        return USER, _system(error)
    if is_users(error):
        return USER, one_line(str(error))
    if "RESOURCE_EXHAUSTED" in str(error) or isinstance(error, MemoryError):
        return USER, (
            "Out of memory: make data.batch, data.context or model.width smaller,"
            " or compute a batch in parts with optim.accumulate."
        )
    what = f"{type(error).__name__}: {one_line(str(error))}"
    return (
        INTERNAL,
        f"Internal error, {what.rstrip('.')}. Run again with --debug to see where.",
    )


def _usage(error: BaseException) -> str:
    """Typer's message, with the command whose help says more."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "attn"
    message = one_line(error.format_message())  # type: ignore[attr-defined]
    if not message:  # the help has been printed instead
        return ""
    if re.search(r"--[a-z_]+\.", message):
        message += " Values are written key=value, without dashes."
    stop = "" if message.endswith((".", "?")) else "."
    return f"{command}: {message}{stop} See `{command} --help`."


def _system(error: OSError) -> str:
    """What the system refused, on which file."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = ""
    if error.errno in FULL:
        remedy = " Free some, then run the same command again; it continues."
    return f"{where}{(error.strerror or str(error)).lower()}.{remedy}"


def one_line(text: str, longest: int = 500) -> str:
    """The text without line breaks and control characters."""
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def report(error: BaseException, debug: bool) -> int:
    """Prints an error to stderr and returns the exit code."""
    code, text = explain(error)
    if debug:
        traceback.print_exception(error)
    if text:
        print(text, file=sys.stderr)
    return code
