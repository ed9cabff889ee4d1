"""The errors that a user can mend."""


class ConvRNNError(Exception):
    """Something is wrong with what was given: the message names it, the rule and the way out.

    Commands print it as one line and exit with 1; anything else is a bug and keeps its traceback.
    """


class MissingBackendError(ConvRNNError, ImportError):
    """Keras is there, and nothing for it to compute with."""
