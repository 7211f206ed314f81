"""The errors that are a user's to mend."""

import traceback

OUR_CODE = ("attn.", "experiments.")
LONGEST = 400  # characters of a reason


class UserError(Exception):
    """A mistake with a remedy: its text is what the user reads, the exit code is 2."""


def is_users(error: BaseException) -> bool:
    """Whether the message of an error was written for the user.

    So is that of a ValueError which our own code raised: it names what is wrong, what
    was expected and the remedy. One that came out of another library is a defect.
    """
    if isinstance(error, UserError):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    module = frames[-1][0].f_globals.get("__name__", "") if frames else ""
    return isinstance(error, ValueError) and f"{module}.".startswith(OUR_CODE)


def in_words(error: BaseException) -> str:
    """An error in one line; its type where it was not written for a user."""
    text = " ".join(str(error).split())[:LONGEST]
    return text if is_users(error) else f"{type(error).__name__}: {text}"
