"""Kill, starve and spoil the project's commands, and write down what happened.

    python reliability/chaos.py                              200 kills and every other fault (many minutes)
    python reliability/chaos.py --kills 3 --jobs prepare     a taste, in seconds

Writes docs/reliability.json and, from it, docs/reliability.md. Exits with 1 where anything went wrong.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults import Observation, faults
from jobs import JOBS
from kills import Ending, Kill, kill_all, shared_out
from page import machine, page
from place import Place, make_place, undisturbed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--add", action="store_true", help="keep what the file has of other jobs")
    parser.add_argument("--faults", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=Path("docs/reliability.json"))
    options = parser.parse_args()
    results = begun(options)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        # Resolved, since commands note where they were run.
        place = make_place(Path(folder).resolve(), options.jobs)
        for job, kills in shared_out(options.kills, tuple(options.jobs)).items():
            undisturbed(place, job)
            usual = place.usual[job]
            results["usual"][job] = {
                "command": " ".join(JOBS[job].words),
                "processor seconds": round(usual.seconds, 2),
                "of these": {phase: round(seconds, 2) for phase, (_, seconds) in usual.phases.items()},
                "file operations": sum(usual.operations.values()),
                "kinds of these": len(usual.operations),
            }
            for found in trials(place, job, kills, options):
                keep(results, found)
                store(options.out, results)
    wrong = sum(bool(one["wrong"]) for one in results["endings"])
    wrong += sum(not one["well"] for one in results["faults"])
    say(f"{len(results['kills'])} kills, {len(results['faults'])} other faults, {wrong} wrong: {options.out}")
    return 1 if wrong else 0


def begun(options: argparse.Namespace) -> dict[str, Any]:
    """Results to be added to: those of other jobs in the file, with --add, or none."""
    results: dict[str, Any] = {"usual": {}, "kills": [], "endings": [], "faults": [], "commands": []}
    if options.add and options.out.is_file():
        results = json.loads(options.out.read_text())
        for name in ("kills", "endings", "faults"):
            results[name] = [one for one in results[name] if one["job"] not in options.jobs]
    results |= {
        "machine": machine(),
        "commands": [
            *(one for one in results["commands"] if not jobs_of(one) <= set(options.jobs)),
            shlex.join(["python", *sys.argv]),
        ],
        "seed": options.seed,
    }
    return results


def jobs_of(command: str) -> set[str]:
    """The jobs that a command line of this script is about."""
    return set(shlex.split(command)) & set(JOBS) or set(JOBS)


def trials(
    place: Place, job: str, kills: int, options: argparse.Namespace
) -> Iterator[Kill | Ending | Observation]:
    """All that is done to a job, two at once."""
    if options.faults:
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(lambda fault: fault(place), faults(job))
    yield from kill_all(place, job, kills, options.seed)


def keep(results: dict[str, Any], found: Kill | Ending | Observation) -> None:
    """Add one result, and say it."""
    if isinstance(found, Kill):
        results["kills"].append(asdict(found))
    elif isinstance(found, Ending):
        results["endings"].append(asdict(found))
        say(f"{len(results['kills'])} kills; {found.job}: {'; '.join(found.wrong) or 'same result'}")
    else:
        results["faults"].append(asdict(found) | {"well": found.well})
        verdict = "well " if found.well else "WRONG"
        say(f"{verdict} {found.job}: {found.fault}: {found.code} {found.line} -> {found.after}")


def store(path: Path, results: dict[str, Any]) -> None:
    """The results and their page, after each trial, so that a run that is stopped has a page too."""
    write(path, json.dumps(results, indent=1) + "\n")
    write(path.with_suffix(".md"), page(results))


def say(line: str) -> None:
    print(line, flush=True)


def write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text)
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
