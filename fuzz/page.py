"""docs/fuzzing.md, written from what the runs found; of several runs the last of each parser stays."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fuzz.fixed import FIXED
from fuzz.runner import CPU_LIMIT, MEMORY_LIMIT, WALL_LIMIT, Result

HEAD = f"""# Fuzzing

Written by `make fuzz` from its own results, which lie beside this page in `fuzzing.json`.

Whatever is read from files of others is given broken and hostile input: sound files with bits, fields, cells and
values changed, checksums and seals put right again so that what is broken is read, and files drawn part by part.
An input has to be accepted with a right answer, or refused in one short line by the packages' own error; anything
else is a finding: another exception or a warning, a crash, more than {CPU_LIMIT} s of processor time or {WALL_LIMIT} s in
all, more than {MEMORY_LIMIT >> 30} GiB of memory, or an answer that an independent check finds wrong (Python's `tarfile`
and `csv`, the JSON itself, the values in the HDF5 file).

Every input is a function of the seed and its number, so every run can be made again.
"""
COLUMNS = (
    "parser",
    "inputs",
    "accepted",
    "refused",
    "distinct messages",
    "commonest message",
    "findings",
    "fixed before",
)
NOTE = """"Distinct messages" are counted without the names and numbers in them; "commonest message" is its share of all
inputs: where it is large, most inputs end at one place. "Findings" are those of this run; "fixed before" are those
that fuzzing has led to and that are mended, each kept as an input, or as a test, that every run begins with:
"""


def machine() -> str:
    """What ran, in a line."""
    names = ("numpy", "pandas", "h5py", "pillow", "keras")
    return f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}"


def row(result: Result, seed: int) -> dict[str, Any]:
    """What is kept of one parser's run."""
    return {
        "inputs": result.inputs,
        "accepted": result.accepted,
        "refused": result.refused,
        "findings": len(result.findings),
        "seconds": round(result.seconds),
        "seed": seed,
        "machine": machine(),
        "messages": dict(result.messages.most_common()),
    }


def page(rows: dict[str, dict[str, Any]], order: list[str]) -> str:
    """The page of these results, by parser; `order` names all parsers."""
    missing = [f"`{name}`" for name in order if name not in rows]
    machines = sorted({f"{row['machine']}; seed {row['seed']}" for row in rows.values()})
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "|---" + "|---:" * (len(COLUMNS) - 1) + "|",
        *("| " + " | ".join(_cells(name, one)) + " |" for name, one in rows.items()),
    ]
    fixed = [f"- {name}: {what}" for name, found in FIXED.items() for what in found]
    without = [f"**Not run for this page:** {', '.join(missing)}.", ""] if missing else []
    return "\n".join([HEAD, *machines, "", *without, *lines, "", NOTE, *fixed, ""])


def _cells(name: str, row: dict[str, Any]) -> list[str]:
    messages = row["messages"].values()
    commonest = max(messages, default=0) / row["inputs"]
    numbers = (row["inputs"], row["accepted"], row["refused"], len(messages))
    return [
        f"`{name}`",
        *(f"{number:,}" for number in numbers),
        f"{commonest:.0%}",
        str(row["findings"]),
        str(len(FIXED.get(name, ()))),
    ]


def write(table: Path, results: list[Result], seed: int, order: list[str]) -> None:
    """Put results into `table`.json, beside those of other parsers that it holds, and write `table`.md of all."""
    kept = table.with_suffix(".json")
    rows = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    rows |= {result.target: row(result, seed) for result in results}
    rows = {name: rows[name] for name in order if name in rows}
    for path, text in (
        (kept, json.dumps(rows, indent=1, ensure_ascii=False) + "\n"),
        (table.with_suffix(".md"), page(rows, order)),
    ):
        beside = path.with_name(f".{path.name}.partial")
        beside.write_text(text, "utf-8", "backslashreplace")
        beside.replace(path)
