"""Messages for system errors."""

import errno
import os

import pytest

from convrnn_model import ConvRNNError
from convrnn_model.io_errors import REMEDIES, error_number, io_error


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "full"), errno.ENOSPC),
        (OSError("unable to open file (file write failed: errno = 28, error message = 'x')"), 28),
        (RuntimeError("unable to read (errno = 5)"), 5),
        (OSError("truncated file: errno = 0"), None),
        (OSError("truncated file"), None),
        (ValueError("28"), None),
    ],
)
def test_error_number(error, number):
    assert error_number(error) == number


@pytest.mark.parametrize("number", REMEDIES)
def test_system_errors_have_a_remedy(number):
    error = io_error("cannot read w.h5", OSError(number, "x"))
    assert isinstance(error, ConvRNNError)
    assert str(error) == f"cannot read w.h5: {os.strerror(number)}. {REMEDIES[number]}."


def test_other_errors_have_only_a_reason():
    assert str(io_error("cannot read w.h5", OSError(errno.EPIPE, "x"))) == "cannot read w.h5: Broken pipe."
    assert str(io_error("cannot write w.h5", OSError(" no number\n"))) == "cannot write w.h5: no number."
