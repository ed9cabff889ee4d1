"""Layout of the tests: each module has a test file, in folders that mirror the package."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

WITHOUT_OWN_TESTS = ("__init__", "cli", "errors")
"""Modules that other tests cover."""

TESTED_IN = {Path("torch"): Path("pytorch")}
"""Folders of tests with another name: `tests/model` is on the path, where `torch` would be imported as PyTorch."""

PACKAGES = sorted(path.name.removeprefix("convrnn-") for path in (REPOSITORY / "packages").iterdir())


def modules(package: str) -> list[Path]:
    source = REPOSITORY / f"packages/convrnn-{package}/src/convrnn_{package}"
    paths = (path.relative_to(source) for path in sorted(source.rglob("*.py")))
    return [path for path in paths if path.stem not in WITHOUT_OWN_TESTS]


def missing(package: str) -> set[str]:
    tests = REPOSITORY / "tests" / package
    return {
        str(path)
        for path in modules(package)
        if not (tests / TESTED_IN.get(path.parent, path.parent) / f"test_{path.name}").is_file()
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_test_file(package):
    assert missing(package) == set()
