"""Error messages of the packages: plain English, and listed by a script."""

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
"""Unidiomatic words."""
PACKAGES = ("convrnn-data", "convrnn-experiments", "convrnn-model")


@pytest.mark.parametrize("package", PACKAGES)
def test_messages_are_plain_english(package: str) -> None:
    found = list(messages(package))
    assert len(found) > 40
    assert [message for message in found if TRANSLATED.search(message.text)] == []


def test_the_script_lists_every_package() -> None:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    for package in ("convrnn_data", "convrnn_model", "convrnn_experiments"):
        assert re.search(rf"^{package}/\w+\.py:\d+: ConvRNNError: \S", done.stdout, re.MULTILINE)
