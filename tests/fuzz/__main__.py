"""Fuzz the parsers, one process and a time budget for each, or replay one input.

Atheris drives the binary formats, and Hypothesis the text formats, or all where Atheris is not installed. A target ends
at its first finding, whose minimised input is written to --findings.
"""

import argparse
import importlib.util
import itertools
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from fuzz.harness import Target, check, limited_memory
from fuzz.targets import TARGETS

FINDINGS = Path("fuzz-findings")
MINIMISE_SECONDS = 60


def main() -> int:
    """Fuzz or replay as requested; return 1 if anything was found."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all, or some of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--findings", type=Path, default=FINDINGS, help="folder for the inputs that are found"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one target on this input")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}. Choose from {', '.join(TARGETS)}")
    # A warning counts as a finding too.
    warnings.simplefilter("error")
    if options.replay:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, limited_memory():
            check(TARGETS[names[0]], options.replay.read_bytes(), Path(folder) / "input")
        return 0
    if len(names) == 1:
        return fuzz(names[0], options)
    words = [
        "--seconds",
        str(options.seconds),
        "--seed",
        str(options.seed),
        "--findings",
        str(options.findings),
    ]
    codes = [
        subprocess.run([sys.executable, "-m", "fuzz", name, *words], check=False).returncode for name in names
    ]
    failed = [name for name, code in zip(names, codes, strict=True) if code]
    print(f"{len(names)} targets, findings in {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def fuzz(name: str, options: argparse.Namespace) -> int:
    """Fuzz one target; return 1 if anything was found."""
    folder = options.findings / name
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{name}:", flush=True)
    by_atheris = TARGETS[name].is_binary and importlib.util.find_spec("atheris")
    run = run_atheris if by_atheris else run_hypothesis
    found = run(name, options.seconds, options.seed, folder)
    if found:
        print(f"{name}: finding in {found}; replay it with --replay {found}", flush=True)
    else:
        folder.rmdir() if not any(folder.iterdir()) else None
    return 1 if found else 0


def run_atheris(name: str, seconds: int, seed: int, folder: Path) -> Path | None:
    """Return the minimised input of the first finding, or None."""
    engine = [sys.executable, "-m", "fuzz.engine", name, f"-artifact_prefix={folder}/"]
    before = set(folder.iterdir())
    done = subprocess.run([*engine, f"-max_total_time={seconds}", f"-seed={seed}"], check=False)
    if done.returncode == 0:
        return None
    (found,) = set(folder.iterdir()) - before
    smaller = folder / f"{found.name}-minimised"
    limits = ["-minimize_crash=1", f"-max_total_time={MINIMISE_SECONDS}", f"-exact_artifact_path={smaller}"]
    subprocess.run([*engine, *limits, str(found)], check=False, capture_output=True)
    return smaller if smaller.exists() else found


def run_hypothesis(name: str, seconds: int, first_seed: int, folder: Path) -> Path | None:
    """Return the minimised input of the first finding, or None."""
    target, end, path = TARGETS[name], time.monotonic() + seconds, folder / "input"
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, limited_memory():
        for number in itertools.count(first_seed):
            # Written before the run, so that an input that kills the process is found.
            run = seed(number)(examples_of(target, Path(scratch) / "input", path))
            try:
                run()
            except Exception as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                return path
            if time.monotonic() > end:
                path.unlink()
                return None
    raise AssertionError("unreachable")


def examples_of(target: Target, scratch: Path, current: Path):
    """Return a Hypothesis test of a thousand inputs; after a failure, `current` is the minimised one."""

    @settings(max_examples=1000, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def run(data: bytes) -> None:
        current.write_bytes(data)
        check(target, data, scratch)

    return run


if __name__ == "__main__":
    sys.exit(main())
