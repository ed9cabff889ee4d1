"""Command line of `convrnn train | features | evaluate | compare | report | power | stimuli`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import Field

import convrnn_model
from convrnn_data.base import console
from convrnn_data.base.options import Only, Option, expand_options
from convrnn_experiments.comparison.options import ComparisonOptions, PowerOptions
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import Executor
from convrnn_experiments.runs.config import (
    INFERENCE,
    PRECISION,
    STIMULUS_SIZE,
    Config,
    EngineName,
    LevelOptions,
    Precision,
    from_options,
    parse_numbers,
)
from convrnn_experiments.runs.untrained import UntrainedOptions
from convrnn_experiments.runtime.process_group import ProcessGroup
from convrnn_experiments.runtime.tensorflow import quiet_import
from convrnn_experiments.stimuli.plan import LEVELS, PER_BLOCK, with_levels
from convrnn_experiments.training.seeds import parse_seeds

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train recurrent convolutional networks, and compare them with humans.",
)
_warn = partial(typer.echo, err=True)
_NOISE_SDS = ",".join(LEVELS[Regime.NOISE])
_BLUR_SDS = ",".join(LEVELS[Regime.BLUR])


def main() -> NoReturn:
    """Run the `convrnn` command."""
    errors = (ConvRNNError, convrnn_model.ConvRNNError)
    # `--resume` is explicit, so that no run is resumed by mistake.
    hint = "run the same command again to continue; train continues with --resume"
    console.run(app, "convrnn", errors, hint)


@app.command()
@expand_options
def train(
    config: Config,
    levels: LevelOptions,
    group: ProcessGroup,
    out: Annotated[Path | None, Option("Folder of the run.", show_default="runs/REGIME")] = None,
    features: Annotated[
        Path | None, Option("Folder for cached features.", show_default="features, next to the run")
    ] = None,
    *,
    executor: Executor,
    seeds: Annotated[
        Any,
        Option(
            "Train a run for each seed, such as 0-4 or 0,2,7, in OUT-seed0 and so on.",
            type=str | None,
            parse=parse_seeds,
            after="seed",
        ),
    ] = None,
    resume: Annotated[bool, Option("Resume an unfinished run.", flag="--resume")] = False,
    force: Annotated[bool, Option("Replace an existing run.", flag="--force")] = False,
) -> None:
    """Train a network under a regime, and validate it after every epoch."""
    from convrnn_experiments.training import launch
    from convrnn_experiments.training.seeds import train_seeds

    if seeds is not None and "seed" in config.model_fields_set:
        raise ConvRNNError(
            f"cannot choose the seeds: either --seed or --seeds may be given, got --seed {config.seed} and --seeds. "
            "Omit one of them"
        )
    start = launch.train if seeds is None else partial(train_seeds, seeds=seeds)
    start(
        from_options(config, levels),
        out or Path("runs") / config.perturb,
        features=features,
        executor=executor,
        group=group,
        resume=resume,
        force=force,
        echo=typer.echo,
        progress=console.progress,
    )


@app.command("features")
@expand_options
def features_command(
    config: Annotated[Config, Only("features")],
    levels: LevelOptions,
    out: Annotated[Path, Option("Folder for cached features.")] = Path("runs/features"),
    *,
    executor: Executor,
    task: Annotated[
        str | None,
        Option("Compute the I-th of N shares only, I from 1 to N, as in a job array.", metavar="I/N"),
    ] = None,
) -> None:
    """Compute and cache the features that `train` needs with the same options, or resume a stopped computation."""
    from convrnn_experiments.training import launch

    result = launch.extract_features(
        from_options(config, levels),
        out,
        executor=executor,
        task=task,
        echo=typer.echo,
        progress=console.progress,
    )
    typer.echo(f"features: {result.folder}: {result.computed} parts computed, {result.cached} in the cache")


@app.command()
@expand_options
def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            help="A finished run; or weights to evaluate as they are: bl_imagenet, bl_ecoset, b_imagenet, or a file.",
            metavar="RUN|WEIGHTS",
        ),
    ],
    testset: Annotated[
        Path, typer.Argument(help="Human stimuli in any layout, or a prepared set.", metavar="TESTSET")
    ],
    condition: Annotated[
        list[Regime] | None,
        typer.Option(
            help="Regime to test under; may be repeated.",
            show_default="that of the run; for weights, those of the stimuli",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a prepared set.")] = "val",
    name: Annotated[
        str | None, typer.Option(help="Prefix of the results' name, for several test sets of a regime.")
    ] = None,
    precision: Annotated[Precision, PRECISION] = "float32",
    inference: Annotated[EngineName, INFERENCE] = "auto",
    out: Annotated[
        Path | None, Option("For weights: folder of the results.", show_default="runs/NAME")
    ] = None,
    *,
    untrained: UntrainedOptions,
) -> None:
    """Write a network's answer to every test image at every time step, and its accuracies."""
    from convrnn_experiments.evaluation import command

    command.evaluate(
        run,
        testset,
        regimes=condition or [],
        split=split,
        name=name,
        precision=precision,
        inference=inference,
        out=out,
        untrained=untrained,
        echo=typer.echo,
        warn=_warn,
        progress=console.progress,
    )


Rows = Annotated[
    list[str],
    typer.Argument(
        help="Evaluated runs; published weights that were evaluated, by name; CSV files of predictions.",
        metavar="ROW",
    ),
]


@app.command()
@expand_options
def compare(
    rows: Rows,
    human: Annotated[Path, Option("Human answers: JATOS results, trial CSVs, or a folder of them.")],
    out: Annotated[Path, Option("Folder for comparison.csv and comparison.md.")] = Path("compare"),
    trials: Annotated[
        Path | None,
        Option(
            "Also write a row for each observer, image, network and time step, as .csv or .parquet.",
            metavar="FILE",
        ),
    ] = None,
    *,
    options: ComparisonOptions,
) -> None:
    """Compare networks with humans in a table of conditions and measures, with 95 % intervals."""
    from convrnn_experiments.report.comparison_files import write_comparison

    typer.echo(write_comparison(rows, human, out, options, _warn, trials=trials))
    typer.echo(f"comparison: {out / 'comparison.csv'}, {out / 'comparison.md'}")
    if trials is not None:
        typer.echo(f"trials: {trials}")


@app.command()
@expand_options
def report(
    rows: Rows,
    human: Annotated[
        Path | None,
        Option(
            "Human answers: JATOS results, trial CSVs, or a folder of them.", show_default="networks only"
        ),
    ] = None,
    out: Annotated[Path, Option("Page to write; figures and tables are written to its folder.")] = Path(
        "report/index.html"
    ),
    *,
    options: ComparisonOptions,
) -> None:
    """Write a self-contained HTML report on networks, with figures and tables in its folder."""
    from convrnn_experiments.report import build

    with console.progress() as progress:
        page = build.write_report(
            rows,
            out,
            human=human,
            match=options.exits,
            misses=options.misses,
            exclusions=options.exclude or (),
            max_unreadable=options.max_unreadable,
            seed=options.seed,
            workers=options.workers,
            report=progress,
        )
    typer.echo(f"report: {page}")


@app.command()
@expand_options
def power(
    rows: Rows,
    human: Annotated[Path, Option("Folder of human answers.")],
    out: Annotated[Path | None, Option("CSV file to write.", show_default="none")] = None,
    *,
    wanted: PowerOptions,
    options: ComparisonOptions,
) -> None:
    """Plan an experiment: the images, observers and seeds that a difference needs, by the variances of own data."""
    from convrnn_experiments.report.power_table import write_plan

    typer.echo(write_plan(rows, human, out, wanted, options))


@app.command()
@expand_options
def stimuli(
    validation: Annotated[
        Path,
        Option(
            "ILSVRC2012_img_val.tar, a prepared set (its ILSVRC validation images, else its split val), folders "
            "named by synset, or a folder of images.",
            argument=True,
            metavar="VALIDATION",
        ),
    ],
    out: Annotated[Path, Option("A new folder.", argument=True, metavar="OUT")],
    labels: Annotated[
        Path | None,
        Option(
            "LOC_val_solution.csv or another CSV of image names and synsets; the devkit; or one synset per line.",
            show_default="found next to ILSVRC's images",
        ),
    ] = None,
    noise_sd: Annotated[Any, Option("Noise levels.", type=str, parse=parse_numbers)] = _NOISE_SDS,
    blur_sd: Annotated[Any, Option("Blur levels, px.", type=str, parse=parse_numbers)] = _BLUR_SDS,
    per_block: Annotated[int, Field(ge=1), Option("Images in each of the five blocks.")] = PER_BLOCK,
    size: Annotated[
        int, Field(ge=1), Option("Side of the stimuli, px: the stimulus size of the runs to test.")
    ] = STIMULUS_SIZE,
    seed: Annotated[int, Field(ge=0), Option("Seed of all random draws.")] = 0,
) -> None:
    """Make a test set in the layout of the human experiments, with the perturbations of training."""
    with quiet_import():
        from convrnn_experiments.stimuli.make import make_stimuli
    levels = with_levels(noise_sd, blur_sd)
    with console.progress() as report:
        count = make_stimuli(
            validation,
            out,
            labels=labels,
            levels=levels,
            per_block=per_block,
            size=size,
            seed=seed,
            report=report,
        )
    typer.echo(f"{count} stimuli: {out}; `convrnn-data reformat {out} NEW` converts them to the other layout")
