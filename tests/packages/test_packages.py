"""Built packages: contents, metadata, and commands in a read-only installation."""

import email.policy
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = (sys.executable, "-m", "uv")
# Without this capability, even root cannot write to read-only folders.
UNPRIVILEGED = (
    ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 and shutil.which("setpriv") else ()
)
Python = Callable[..., str]
PACKAGES = ("convrnn-data", "convrnn-experiments", "convrnn-model")
EXTRAS = {
    "convrnn-data": {"dask", "ray"},
    "convrnn-experiments": {"gpu", "interactive", "parquet"},
    "convrnn-model": {"classify", "gpu", "jax", "onnx", "openvino", "safetensors", "tensorflow", "torch"},
}
DATA = {
    "convrnn-data": {"listed_images.txt.xz"},
    "convrnn-experiments": {"report/page.css", "report/page.js", "report/references.bib"},
    "convrnn-model": {
        f"class_names/{source}_{kind}.txt"
        for source in ("ecoset", "imagenet")
        for kind in ("categories", "16-class")
    }
    | {"class_names/imagenet_words.txt"},
}
VERSION = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
COMMANDS = """
convrnn-data sample drawn --images-per-category 2 --trials 16 --observers 1
convrnn-data prepare drawn/imagenet set --images all --val 0.5
convrnn-data verify set
convrnn-data preview set sheet.png
convrnn-model --help
convrnn --help
"""
# Reads the tables, texts and styles that are installed with the code.
USE = """
import importlib.util, pkgutil
import convrnn_data, convrnn_experiments, convrnn_model
for package in (convrnn_data, convrnn_experiments, convrnn_model):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if found.name != "convrnn_model.torch" or importlib.util.find_spec("torch"):
            importlib.import_module(found.name)
assert len(convrnn_model.class_names("imagenet")) == 1000
assert len(convrnn_model.category_classes("ecoset")) == 16
network = convrnn_model.b_net((64, 64, 3), 16, width=0.02)
convrnn_model.save_weights(network, "weights.h5")
"""

each_package = pytest.mark.parametrize("package", PACKAGES)


def run(*words: object, **options: object) -> str:
    """Run a command, which must succeed, and return its standard output."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder with the source distribution of each package and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    for package in sorted((ROOT / "packages").iterdir()):
        build(package, folder)
    return folder


def build(package: Path, folder: Path, *forms: str) -> None:
    """Build a package with the pinned tools, by default as source distribution and wheel."""
    run(
        *UV, "build", *forms, "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, package
    )


@pytest.fixture(scope="session")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide a read-only site-packages with only the three wheels."""
    site = tmp_path_factory.mktemp("installed") / "site"
    wheels = sorted(built.glob("*.whl"))
    run(*UV, "pip", "install", "--no-deps", "--python", sys.executable, "--target", site, *wheels)
    everything = [site, *site.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    yield site
    for path in everything:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture
def python(installed: Path, tmp_path: Path) -> Python:
    """Return a function that runs Python, or a command, with the installed packages first, in an empty folder."""

    def start(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        return run(*UNPRIVILEGED, sys.executable, *words, env=environment, cwd=tmp_path)

    return start


def module(package: str) -> str:
    return package.replace("-", "_")


def wheel(built: Path, package: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"{module(package)}-{VERSION}-py3-none-any.whl")


def project(package: str) -> dict:
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]


@pytest.fixture
def metadata(built: Path, package: str) -> Message:
    with wheel(built, package) as archive:
        return email.message_from_bytes(
            archive.read(f"{module(package)}-{VERSION}.dist-info/METADATA"), policy=email.policy.default
        )


@each_package
def test_version_is_defined_once(package, metadata):
    assert metadata["Version"] == VERSION
    assert import_module(module(package)).__version__ == VERSION
    repeated = [
        path.relative_to(ROOT)
        for path in (ROOT / "packages" / package).rglob("*")
        if path.suffix in (".py", ".toml", ".md") and VERSION in path.read_text()
    ]
    assert repeated == []


@each_package
def test_metadata_matches_pyproject(package, metadata):
    own = project(package)
    assert metadata["Name"] == package
    assert metadata["Summary"] == own["description"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["License-Expression"].startswith("MIT")
    assert metadata["Description-Content-Type"] == "text/markdown"
    readme = (ROOT / "packages" / package / "README.md").read_text()
    assert metadata.get_payload(decode=True).decode().strip() == readme.strip()
    assert dict(url.split(", ") for url in metadata.get_all("Project-URL")) == own["urls"]
    assert set(metadata.get_all("Provides-Extra")) == set(own["optional-dependencies"]) == EXTRAS[package]


@each_package
def test_supported_python_versions_are_listed(package, metadata):
    classifiers = metadata.get_all("Classifier")
    assert "Typing :: Typed" in classifiers
    named = {line.rpartition(" ")[2] for line in classifiers if "Python :: 3." in line}
    assert "{}.{}".format(*sys.version_info) in named
    assert min(named) == metadata["Requires-Python"].removeprefix(">=")


@each_package
def test_wheel_contains_exactly_the_sources(package, built):
    sources = ROOT / "packages" / package / "src"
    expected = {
        str(path.relative_to(sources))
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with wheel(built, package) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert "LICENSE" in {Path(name).name for name in archive.namelist()}
    assert found == expected
    assert found >= {f"{module(package)}/{name}" for name in DATA[package] | {"py.typed"}}
    assert not any("test" in name.split("/")[1:-1] or name.endswith(".pyc") for name in found)


@each_package
def test_source_distribution_contains_everything_for_a_build(package, built):
    stem = f"{module(package)}-{VERSION}"
    with tarfile.open(built / f"{stem}.tar.gz") as archive:
        names = {name.removeprefix(f"{stem}/") for name in archive.getnames()}
    assert {name for name in names if not name.startswith("src/")} == {
        *("LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore")
    }
    with wheel(built, package) as whole:
        code = {f"src/{name}" for name in whole.namelist() if ".dist-info/" not in name}
    assert {name for name in names if name.startswith("src/")} == code


@each_package
def test_wheels_from_source_distribution_and_repository_are_equal(package, built, tmp_path):
    build(ROOT / "packages" / package, tmp_path, "--wheel")
    (own,) = tmp_path.glob("*.whl")
    assert own.read_bytes() == (built / own.name).read_bytes()


@each_package
def test_twine_accepts_the_distributions(package, built):
    files = sorted(built.glob(f"{module(package)}-*"))
    checked = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files)
    assert checked.count("PASSED") == len(files) == 2


@each_package
def test_importing_prints_nothing_and_imports_no_backend(package, python, installed):
    name = module(package)
    code = (
        f"import json, sys, {name}\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        f"json.dump([{name}.__file__, {name}.__version__, sorted(heavy)], sys.stdout)"
    )
    assert json.loads(python("-W", "error", "-c", code)) == [
        str(installed / name / "__init__.py"),
        VERSION,
        [],
    ]


@each_package
def test_commands_print_help(package, python, installed):
    for command in project(package)["scripts"]:
        assert f"Usage: {command}" in re.sub(
            r"\x1b\[[\d;]*m", "", python(f"{installed}/bin/{command}", "--help")
        )


def test_everything_works_in_a_read_only_installation(python, installed, tmp_path):
    before = state_of(installed)
    python("-c", USE)
    for line in COMMANDS.strip().splitlines():
        command, *words = line.split()
        python(f"{installed}/bin/{command}", *words)
    assert state_of(installed) == before
    assert not any(path.stat().st_mode & stat.S_IWUSR for path in installed.rglob("*"))
    for name in ("weights.h5", "set/manifest.json", "sheet.png"):
        assert (tmp_path / name).is_file()


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of every file below a folder."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}
