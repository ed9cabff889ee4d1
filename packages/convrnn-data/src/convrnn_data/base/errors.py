"""The errors that a user can mend."""

LONGEST = 10_000
"""Letters of a message; what is quoted in it may be of any length."""


class ConvRNNError(Exception):
    """Something is wrong with what was given: the message names it, the rule and the way out.

    Commands print it as one line and exit with 1; anything else is a bug and keeps its traceback.
    """

    def __str__(self) -> str:
        """The message, in one line whatever names and values it quotes."""
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Text with line ends, control characters and halves of letters escaped, and cut where it is very long."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
