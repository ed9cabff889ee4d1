"""The documentation builds."""

import subprocess
import sys

from pages import REPOSITORY


def test_the_pages_build_without_warnings(tmp_path):
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*build, "-d", tmp_path / "trees", REPOSITORY / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in (path for path in (REPOSITORY / "docs").iterdir() if path.suffix in (".md", ".ipynb")):
        assert (tmp_path / "site" / f"{page.stem}.html").is_file()
    scripts = [line for path in (tmp_path / "site").glob("*.html") for line in path.read_text().splitlines()]
    assert not [line for line in scripts if '<script src="http' in line], (
        "a page loads a script from another server"
    )
