"""Fuzz everything, or replay one input that was kept."""

import argparse
import sys
import warnings
from pathlib import Path

from fuzz import page
from fuzz.runner import replay, run
from fuzz.targets import TARGETS

FINDINGS = Path(__file__).parent / "findings"


def main() -> int:
    """Runs what the command line asks for; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="PARSER", help=f"all, or some of {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=10_000, help="for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=FINDINGS, help="where failing inputs are kept")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="put the counts into FILE.json, and write FILE.md of it"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="a kept input, of the parser that its folder names"
    )
    chosen = parser.parse_args()
    # A warning at a user's terminal is not an answer either.
    warnings.simplefilter("error")
    if chosen.replay:
        replay(TARGETS[chosen.replay.resolve().parent.name], chosen.replay)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    found = 0
    for name in chosen.targets or TARGETS:
        result = run(TARGETS[name], chosen.inputs, chosen.seed, chosen.findings)
        print(result, flush=True)
        if chosen.table:
            page.write(chosen.table, [result], chosen.seed, list(TARGETS))
        for path in result.findings:
            print(
                f"    {path}.txt: {path.with_suffix('.txt').read_text('utf-8').strip().splitlines()[-1][:150]}"
            )
        found += len(result.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
