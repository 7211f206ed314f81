"""The errors that are a user's to mend."""


class UserError(Exception):
    """A mistake with a remedy: its text is what the user reads, the exit code is 2."""
