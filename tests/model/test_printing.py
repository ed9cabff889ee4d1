"""Standard streams that never raise; tests/data/base/test_printing.py runs whole commands with them."""

import codecs
import subprocess
import sys

import pytest

from convrnn_model import printing

HEAD = "from convrnn_model.printing import *\nmake_printing_safe()\n"


@pytest.fixture(autouse=True)
def registered():
    codecs.register_error(printing.ERRORS, printing._plain)


def run(code, redirect):
    command = ["bash", "-c", f'"$0" -c "$1" {redirect}', sys.executable, HEAD + code + "\nfinish_printing()"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("text", "encoding", "plain"),
    [
        ("“x” … a → b", "ascii", b'"x" ... a -> b'),
        ("3 × 4 ± 1 − 2", "ascii", b"3 x 4 +- 1 - 2"),
        ("± 日", "latin-1", b"\xb1 \\u65e5"),
        ("\udc80", "utf-8", b"\\udc80"),
    ],
)
def test_characters_that_an_encoding_lacks(text, encoding, plain):
    assert text.encode(encoding, printing.ERRORS) == plain


def test_decoding_errors_are_not_hidden():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", printing.ERRORS)


@pytest.mark.parametrize(
    ("redirect", "message"),
    [
        (">/dev/full", "a part of standard output was lost: No space left on device."),
        (">&-", ""),
        ("| true", ""),
    ],
)
def test_output_that_cannot_be_written(redirect, message):
    done = run("for _ in range(20_000): print('line')", redirect)
    assert done.returncode == 0
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == bool(message)


def test_closed_streams_lend_their_descriptors_to_no_file():
    done = run("import sys; sys.exit(open('/dev/null').fileno() < 3)", "<&- >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_replaced_streams_are_left_unchanged(capsys):
    before = sys.stdout
    assert printing._safe(before, 1) is before
