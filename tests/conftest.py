"""Shared by all tests: the reference folder beside the checkout, where there is one."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(os.environ.get("CONVRNN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden files and real photographs; a test that needs it skips where it is absent."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference files: {SHARED} is absent (set CONVRNN_SHARED to where they lie)")
    return SHARED
