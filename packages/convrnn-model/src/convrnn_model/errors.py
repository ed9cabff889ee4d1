"""The errors that a user can mend."""

LONGEST = 10_000
"""Letters of a message; what is quoted in it may be of any length."""


class ConvRNNError(Exception):
    """Something is wrong with what was given: the message names it, the rule and the way out.

    Commands print it as one line and exit with 1; anything else is a bug and keeps its traceback.
    """

    def __str__(self) -> str:
        """The message, in one line whatever names it quotes."""
        text = super().__str__()
        text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class MissingBackendError(ConvRNNError, ImportError):
    """Keras is there, and nothing for it to compute with."""
