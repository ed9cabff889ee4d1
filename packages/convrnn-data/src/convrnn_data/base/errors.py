"""Errors that a user can fix."""

LONGEST = 10_000
"""Maximum length of a message; quoted values may be of any length."""


class ConvRNNError(Exception):
    """Error in the input or the environment: the message names the subject, the rule and the way out.

    Commands print the message as one line and exit with 1. Any other exception is a bug and shows a traceback.
    """

    def __str__(self) -> str:
        """Return the message as one line, whatever names and values it quotes."""
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Escape line breaks, control characters and lone surrogates, and truncate very long text."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
