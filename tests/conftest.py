"""Shared by all tests: the reference folder beside the checkout, where there is one."""

import fcntl
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(os.environ.get("CONVRNN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


HERE = Path(__file__).parent


def pytest_addoption(parser):
    parser.addoption(
        "--tested-alone",
        action="store_true",
        help="leave out what `make test-alone` has run: tests of convrnn-data and convrnn-model not marked `together`",
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--tested-alone"):
        return
    alone = (HERE / "data", HERE / "model")
    left_out = [
        item
        for item in items
        if item.get_closest_marker("together") is None
        and any(folder in item.path.parents for folder in alone)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden files and real photographs; a test that needs it skips where it is absent."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference files: {SHARED} is absent (set CONVRNN_SHARED to where they lie)")
    return SHARED


@pytest.fixture
def no_locks(monkeypatch):
    """A function that makes every lock fail with an error number, as on a disk without locks."""

    def flock_fails(number):
        def flock(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    def hdf5_fails(number, h5py):
        opened = h5py.File

        def open_file(name, *arguments, locking=None, **options):
            if isinstance(name, os.PathLike) and locking is not False:
                text = f"Unable to synchronously open file (unable to lock file, errno = {number})"
                raise OSError(number, text)
            return opened(name, *arguments, locking=locking, **options)

        monkeypatch.setattr(h5py, "File", open_file)

    def fail(number):
        flock_fails(number)
        # convrnn-data has no HDF5.
        if find_spec("h5py"):
            hdf5_fails(number, import_module("h5py"))

    return fail
