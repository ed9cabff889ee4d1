"""Errors that a user can fix."""

LONGEST = 10_000
"""Maximum length of a message, in characters; quoted values may be longer."""


class ConvRNNError(Exception):
    """Invalid input or environment; the message names the rule, the value and the remedy.

    Commands print it as one line and exit with 1. Any other exception is a bug and keeps its traceback.
    """

    def __str__(self) -> str:
        """Return the message in one line, with unprintable characters escaped."""
        text = super().__str__()
        text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class MissingBackendError(ConvRNNError, ImportError):
    """Keras or its backend is missing or not supported."""
