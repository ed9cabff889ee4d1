"""Error messages: listed by a script, and written in plain English."""

import re
import subprocess
import sys

import pytest
from list_messages import __file__ as script
from list_messages import messages

TRANSLATED = re.compile(
    r"\b(came|lies|goes on|anew|could not be had|is no (?!longer|more)|there is no|is looked for|that make sense"
    r"|may take longer|what is whole)\b"
)
"""Words of messages that were thought in another language."""
DONE = ("convrnn-data", "convrnn-experiments", "convrnn-model")
"""Packages whose messages have all been read and rewritten."""


@pytest.mark.parametrize("package", DONE)
def test_messages_are_plain_english(package: str) -> None:
    found = list(messages(package))
    assert len(found) > 40
    assert [message for message in found if TRANSLATED.search(message.text)] == []


def test_the_script_lists_every_package() -> None:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    for package in ("convrnn_data", "convrnn_model", "convrnn_experiments"):
        assert re.search(rf"^{package}/\w+\.py:\d+: ConvRNNError: \S", done.stdout, re.MULTILINE)
