"""Options and fixtures of all tests, such as the folder of golden files next to the checkout."""

import fcntl
import os
import signal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# The duration of an example depends on the load of the machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell ignores Ctrl-C in the commands that it starts in the background, and so would the processes of the tests.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(os.environ.get("CONVRNN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


HERE = Path(__file__).parent


def pytest_addoption(parser):
    parser.addoption(
        "--tested-alone",
        action="store_true",
        help="omit tests run by `make test-alone`: those of convrnn-data and convrnn-model not marked `together`",
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
    """Provide the folder of golden files and photographs; skip the test if it does not exist."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"no reference files: {SHARED} does not exist (set CONVRNN_SHARED to their folder)")
    return SHARED


@pytest.fixture
def no_locks(monkeypatch):
    """Return a function that makes every lock fail with an error number, as on a disk without locks."""

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
