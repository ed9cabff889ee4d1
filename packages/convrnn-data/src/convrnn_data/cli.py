"""Command `convrnn-data`."""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import Field
from rich.console import Console
from rich.table import Table

from convrnn_data import __version__
from convrnn_data.base.console import progress, run
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.options import Option, expand_options
from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BLOCKS
from convrnn_data.human.reformatting import Reformatted, reformat
from convrnn_data.human.stimuli import CONDITIONS
from convrnn_data.imagenet.options import PrepareOptions
from convrnn_data.imagenet.preparing import Prepared, prepare
from convrnn_data.imagenet.preview import save_preview
from convrnn_data.observers.conventions import MAX_UNREADABLE
from convrnn_data.shards.formats import IMAGENET
from convrnn_data.shards.prepared_set import MANIFEST, REJECTED, PreparedSet
from convrnn_data.shards.stats import save_chart, table
from convrnn_data.shards.verifying import verify

NAME = "convrnn-data"

app = typer.Typer(
    name=NAME,
    help="ImageNet and the human stimuli of SATBench, as verified shards of the 16 categories.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Layout = StrEnum("Layout", ["folders", "shards"])
AnswerLayout = StrEnum("AnswerLayout", ["table", "trials"])

Set = Annotated[Path, typer.Argument(help="A prepared set.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same bytes.")]


def main() -> NoReturn:
    """Run the command and exit with its code."""
    run(app, NAME)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command("prepare")
@expand_options
def prepare_command(
    imagenet: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGENET",
            help="Class folders, class tars, or a tar of either, also in Kaggle's layout; read in place.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of the prepared set.", show_default=False)
    ],
    options: PrepareOptions,
) -> None:
    """Prepare verified shards from ImageNet, or resume a stopped run."""
    if options.split_file is not None and (options.val is not None or options.test is not None):
        raise ConvRNNError(
            "--split-file sets the whole split, so --val and --test cannot be given with it. Remove --val and --test, "
            "or remove --split-file"
        )
    with progress() as report:
        prepared = prepare(
            imagenet,
            out,
            options,
            report=report,
            notice=lambda line: print(line, file=sys.stderr, flush=True),
        )
    _print_prepared(prepared)


def _print_prepared(prepared: Prepared) -> None:
    print(f"Found {prepared.source}.")
    if prepared.validation is not None:
        print(f"Found {prepared.validation}.")
        print(_describe_comparison(prepared.near_duplicates))
    sums = {split: sum(row.values()) for split, row in prepared.counts.items()}
    images = ", ".join(f"{count:,} {split}" for split, count in sums.items())
    if not prepared.complete:
        print(f"This task is done: {prepared.written} shards written, {prepared.kept} existed.")
        print(f"When all tasks are done, `{NAME} verify {prepared.path}` completes the set.")
        return
    if prepared.rejected:
        print(f"{prepared.rejected:,} left out, listed with the reason in {prepared.path / REJECTED}.")
    done = (
        f"{prepared.written} shards written, {prepared.kept} existed"
        if prepared.written
        else "complete already, nothing to do"
    )
    print(f"{prepared.path}: {sum(sums.values()):,} images ({images}); {done}.")


def _describe_comparison(counts: dict[str, int] | None) -> str:
    if counts is None:
        return (
            "Not checked against the human stimuli, which are ILSVRC validation images themselves; "
            "--exclude-stimuli HUMAN leaves their near-duplicates out."
        )
    return (
        f"{counts['left_out']:,} near-duplicates of the human stimuli are left out; {counts['matched']:,} of "
        f"{counts['stimuli']:,} stimuli have one."
    )


@app.command("verify")
def verify_command(path: Set) -> None:
    """Verify every byte; list damaged, missing and foreign files; complete a set written by the tasks of an array."""
    with progress() as report:
        result = verify(path, report=report)
    for problem in result.problems:
        print(problem)
    if result.problems:
        raise ConvRNNError(
            f"{path} has {len(result.problems)} problem(s), listed above. {_way_out_of_damage(path)}"
        )
    completed = "; completed" if result.completed else ""
    print(f"{path}: {result.files:,} files, {result.bytes:,} bytes, all as written{completed}.")


def _way_out_of_damage(path: Path) -> str:
    if (path / MANIFEST).is_file() and PreparedSet(path).manifest["kind"] != IMAGENET:
        return f"Remove {path} and run the same `{NAME} reformat` command again"
    return (
        "Remove the damaged files, a shard together with its index, and run the same "
        f"`{NAME} prepare` command again to write them"
    )


@app.command("stats")
def stats_command(
    path: Set,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also draw a bar chart of the counts.")
    ] = None,
) -> None:
    """Count images per category and split."""
    prepared = PreparedSet(path)
    heading, *rows, sums = table(prepared)
    _print_table(heading, [*rows, sums])
    if picture is not None:
        save_chart(prepared, picture)
        print(f"Wrote {picture}.")


def _print_table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column, name in enumerate(heading):
        shown.add_column(name, justify="right" if column else "left")
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


@app.command("preview")
def preview_command(
    path: Annotated[Path, typer.Argument(help="A prepared set, or the human stimuli.", show_default=False)],
    picture: Annotated[Path, typer.Argument(metavar="PNG", help="The image to write.", show_default=False)],
) -> None:
    """Draw a contact sheet: a row per category, columns per split or, for human stimuli, per regime."""
    save_preview(path, picture)
    print(f"Wrote {picture}.")


@app.command("reformat")
def reformat_command(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="The human test set, as on OSF.", show_default=False)
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder to create.", show_default=False)],
    layout: Annotated[Layout, typer.Option(help="Folders of images, or shards.")] = Layout.folders,
) -> None:
    """Convert the human stimuli to the layout that the network's loader reads."""
    with progress() as report:
        done = reformat(old, new, layout, report=report)
    _print_reformatted(done)


@app.command("observers")
@expand_options
def observers_command(
    answers: Annotated[
        Path,
        Option(
            "Human answers: JATOS results, trial CSVs, archives of either, or a folder of all of these.",
            argument=True,
            metavar="IN",
        ),
    ],
    out: Annotated[Path, Option("CSV to write; for trials, a new folder.", argument=True, metavar="OUT")],
    layout: Annotated[
        AnswerLayout,
        Option(
            "One table with a column for each reason to leave a trial out; or trial CSVs of each observer, as in "
            "model-vs-human."
        ),
    ] = AnswerLayout.table,
    max_unreadable: Annotated[
        float,
        Field(ge=0, le=1),
        Option("Largest share of trials, and of sessions, that may be unreadable."),
    ] = MAX_UNREADABLE,
) -> None:
    """Convert human answers to one table for R and other programs, or to trial CSVs."""
    from convrnn_data.observers import export

    exported = export.export_answers(answers, out, layout.value, max_unreadable=max_unreadable)
    _print_listed(map(str, exported.problems))
    _print_table(exported.heading, exported.counts)
    for line in exported.summary:
        print(line)


def _print_listed(problems: Iterable[str], most: int = 20) -> None:
    problems = list(problems)
    for problem in problems[:most]:
        print(problem, file=sys.stderr)
    if len(problems) > most:
        print(f"{len(problems) - most} more problems", file=sys.stderr)


def _print_reformatted(done: Reformatted) -> None:
    rows = []
    for condition in CONDITIONS.values():
        selected = [row for row in done.counts if row[0] == condition]
        for level in sorted({row[1] for row in selected}):
            blocks = [
                sum(row[-1] for row in selected if (row[1], row[2]) == (level, block))
                for block in range(BLOCKS)
            ]
            rows.append(
                (
                    condition,
                    level,
                    *map(str, blocks),
                    f"{len({row[3] for row in selected if row[1] == level})}/{len(CATEGORIES)}",
                )
            )
    _print_table(("condition", "level", *(f"block {block}" for block in range(BLOCKS)), "categories"), rows)
    for name, reason in done.misfits[:20]:
        print(f"left out: {name}: {reason}")
    if len(done.misfits) > 20:
        print(f"left out: {len(done.misfits) - 20} more, see {done.path / REJECTED}")
    for name in done.aside:
        print(f"not copied, since it is not a stimulus: {name}")
    for block in done.incomplete:
        print(f"incomplete: {block}")
    print(
        f"{done.path}: {done.images:,} images, {len(done.misfits)} left out; all counts in {done.path / 'counts.csv'}."
    )


@app.command("sample")
def sample_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to create.", show_default=False)],
    seed: Seed = 0,
    images_per_category: Annotated[int, typer.Option(min=1, help="Training images per category.")] = 100,
    trials: Annotated[int, typer.Option(min=1, help="Human test images per block.")] = 210,
    observers: Annotated[int, typer.Option(min=1, help="Simulated observers.")] = 8,
) -> None:
    """Draw a tiny ImageNet and human test set, to try all commands without a download."""
    from convrnn_data.sample.sample import draw_sample

    with progress() as report:
        draw_sample(
            out,
            seed=seed,
            images_per_category=images_per_category,
            trials=trials,
            observers=observers,
            report=report,
        )
    print(
        f"{out}: a drawn ImageNet in {out / 'imagenet'}, drawn stimuli and simulated observers in {out / 'human'}."
    )
