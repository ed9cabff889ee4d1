"""`convrnn train | features | evaluate | compare | report | stimuli`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import convrnn_data.base.console
import convrnn_model
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.conditions import Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runtime.tensorflow import quiet_import

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train recurrent convolutional networks, and compare them with people.",
)


Network = StrEnum("Network", ["bl", "b", "b_k", "b_f", "b_d"])
Trainable = StrEnum("Trainable", ["readout", "all"])
Schedule = StrEnum("Schedule", ["constant", "cosine"])
Engine = StrEnum("Engine", ["local", "ray", "dask"])


class Misses(StrEnum):
    """What a missed response counts as; each value is known to the type checker."""

    CHANCE = "chance"
    WRONG = "wrong"
    RANDOM = "random"
    ANSWERED = "answered"


def main() -> NoReturn:
    """The `convrnn` command."""
    errors = (ConvRNNError, convrnn_model.ConvRNNError)
    # Asked for, so that no run is resumed by mistake.
    going_on = "run the same command again to continue; train continues with --resume"
    convrnn_data.base.console.run(app, "convrnn", errors, going_on)


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"must be numbers separated by commas, such as 0,0.02,0.04, got {text!r}", param_hint=option
        ) from None


Data = Annotated[Path, typer.Argument(help="A prepared set, from `convrnn-data prepare`.", metavar="DATA")]
Perturbation = Annotated[Regime, typer.Option("--perturb", help="The regime to train under.")]
NetworkOption = Annotated[Network, typer.Option("--network", help="Which network.")]
Width = Annotated[float, typer.Option(min=0.001, help="Factor on the filters of every layer.")]
Timesteps = Annotated[int, typer.Option(min=1, help="Time steps of bl.")]
Weights = Annotated[str, typer.Option(help="bl_imagenet, bl_ecoset, b_imagenet, a file, or none.")]
StimulusSize = Annotated[
    int,
    typer.Option(
        min=1, help="Side of the pictures that are cropped and perturbed, px; that of the test set."
    ),
]
ImageSize = Annotated[
    int, typer.Option(min=1, help="Side of the network's input, px, to which perturbed pictures are resized.")
]
Resize = Annotated[
    int | None,
    typer.Option(help="Shorter side before cropping, px.", show_default="8/7 of the stimulus size"),
]
NoiseSD = Annotated[str | None, typer.Option(help="Noise levels, such as 0,0.02,0.04.")]
BlurSD = Annotated[str | None, typer.Option(help="Blur levels in px, such as 0,1.5,3.")]
Views = Annotated[int, typer.Option(min=1, help="Views kept of each image (readout training).")]
MixedPrecision = Annotated[bool, typer.Option(help="Compute in bfloat16; weights stay float32.")]
TrainingSeed = Annotated[int, typer.Option(min=0)]
EngineOption = Annotated[Engine, typer.Option("--engine", help="Where kept features are computed.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes, a core or more each.", show_default="this one; all that a cluster has"),
]
Address = Annotated[str | None, typer.Option(help="Of a Ray or Dask cluster.")]


@app.command()
def train(
    data: Data,
    perturb: Perturbation,
    network: NetworkOption = Network.bl,
    width: Width = 1.0,
    timesteps: Timesteps = 8,
    cumulative_readout: Annotated[bool, typer.Option(help="Sum the readouts up to each time step.")] = False,
    weights: Weights = "bl_imagenet",
    trainable: Annotated[
        Trainable, typer.Option(help="The readout on frozen features, or all.")
    ] = Trainable.readout,
    stimulus_size: StimulusSize = 224,
    image_size: ImageSize = 128,
    resize: Resize = None,
    noise_sd: NoiseSD = None,
    blur_sd: BlurSD = None,
    epochs: Annotated[int, typer.Option(min=1)] = 100,
    views: Views = 4,
    batch_size: Annotated[int, typer.Option(min=1)] = 128,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Adam's, at its highest.")] = 0.005,
    epsilon: Annotated[float, typer.Option(min=0.0, help="Adam's.")] = 0.1,
    schedule: Annotated[Schedule, typer.Option(help="Learning rate after the warm-up.")] = Schedule.constant,
    warmup_epochs: Annotated[
        float, typer.Option(min=0.0, help="Epochs of linear rise of the learning rate.")
    ] = 0.0,
    clip_norm: Annotated[float | None, typer.Option(min=0.0, help="Clip the gradient to this norm.")] = None,
    mixed_precision: MixedPrecision = False,
    devices: Annotated[
        str | None, typer.Option(help="Such as GPU:0,GPU:1; they share every batch.", show_default="all GPUs")
    ] = None,
    coordinator: Annotated[
        str | None, typer.Option(help="HOST:PORT of the first of several processes (KERAS_BACKEND=jax).")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="How many processes share every batch.")] = 1,
    process: Annotated[int, typer.Option(min=0, help="This one's number, from 0.")] = 0,
    seed: TrainingSeed = 0,
    out: Annotated[Path | None, typer.Option(help="The run's folder.", show_default="runs/REGIME")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Where features are kept.", show_default="features beside the run")
    ] = None,
    engine: EngineOption = Engine.local,
    workers: Workers = None,
    address: Address = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an unfinished run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run.")] = False,
) -> None:
    """Train a network under a regime; validate on the validation split after every epoch."""
    from convrnn_experiments.features.plan import Where
    from convrnn_experiments.runs.config import from_options
    from convrnn_experiments.training import launch

    launch.train(
        from_options(
            data=data,
            perturb=perturb,
            network=network.value,
            width=width,
            timesteps=timesteps,
            cumulative_readout=cumulative_readout,
            weights=weights,
            trainable=trainable.value,
            stimulus_size=stimulus_size,
            image_size=image_size,
            resize=resize,
            noise_sd=_numbers(noise_sd, "--noise-sd"),
            blur_sd=_numbers(blur_sd, "--blur-sd"),
            epochs=epochs,
            views=views,
            batch_size=batch_size,
            learning_rate=learning_rate,
            epsilon=epsilon,
            schedule=schedule.value,
            warmup_epochs=warmup_epochs,
            clip_norm=clip_norm,
            mixed_precision=mixed_precision,
            devices=devices,
            seed=seed,
        ),
        out or Path("runs") / perturb,
        kept=features,
        where=Where(engine.value, workers, address),
        place=launch.Place(coordinator, processes, process),
        resume=resume,
        force=force,
        say=typer.echo,
        progress=convrnn_data.base.console.progress,
    )


@app.command("features")
def features_command(
    data: Data,
    perturb: Perturbation,
    network: NetworkOption = Network.bl,
    width: Width = 1.0,
    timesteps: Timesteps = 8,
    weights: Weights = "bl_imagenet",
    stimulus_size: StimulusSize = 224,
    image_size: ImageSize = 128,
    resize: Resize = None,
    noise_sd: NoiseSD = None,
    blur_sd: BlurSD = None,
    views: Views = 4,
    mixed_precision: MixedPrecision = False,
    seed: TrainingSeed = 0,
    out: Annotated[Path, typer.Option(help="Where features are kept.")] = Path("runs/features"),
    engine: EngineOption = Engine.local,
    workers: Workers = None,
    address: Address = None,
    task: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only the I-th of N parts, 1 to N, as of an array.")
    ] = None,
) -> None:
    """Compute and keep what `train` needs with the same options, or resume where a stopped run ended."""
    from convrnn_experiments.features.plan import Where
    from convrnn_experiments.runs.config import from_options
    from convrnn_experiments.training import launch

    kept = launch.keep_features(
        from_options(
            data=data,
            perturb=perturb,
            network=network.value,
            width=width,
            timesteps=timesteps,
            weights=weights,
            stimulus_size=stimulus_size,
            image_size=image_size,
            resize=resize,
            noise_sd=_numbers(noise_sd, "--noise-sd"),
            blur_sd=_numbers(blur_sd, "--blur-sd"),
            views=views,
            mixed_precision=mixed_precision,
            seed=seed,
        ),
        out,
        where=Where(engine.value, workers, address),
        task=task,
        say=typer.echo,
        progress=convrnn_data.base.console.progress,
    )
    typer.echo(f"features: {kept.folder}: {kept.computed} parts computed, {kept.there} were there")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A finished run.", metavar="RUN")],
    testset: Annotated[
        Path, typer.Argument(help="Human stimuli, in any layout, or a prepared set.", metavar="TESTSET")
    ],
    condition: Annotated[
        list[Regime] | None,
        typer.Option(help="Regime to test under; may be repeated.", show_default="the run's own"),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a prepared set.")] = "val",
    name: Annotated[
        str | None, typer.Option(help="Begins the results' name, for a further test set of a regime.")
    ] = None,
) -> None:
    """Write the answers to every test image at every time step, and the accuracies."""
    from convrnn_experiments.runs import folder

    found = folder.Run(run)
    found.require_finished()
    config = found.config()
    with quiet_import():
        from convrnn_experiments.comparison.stimulus_checks import missing_stimuli
        from convrnn_experiments.evaluation import predict
        from convrnn_experiments.evaluation import trials as trial_sets
        from convrnn_experiments.runtime import devices
    sets = [
        trial_sets.find_trials(testset, regime, config, split=split, name=name)
        for regime in condition or [config.perturb]
    ]
    if notice := devices.idle_gpu():
        typer.echo(notice)
    for trials in sets:
        for said in missing_stimuli(testset, trials.regime) if trials.perturbed else ():
            typer.echo(f"{testset}, {trials.regime}: {said}", err=True)
        with convrnn_data.base.console.progress() as report:
            measures = predict.evaluate(found, trials, report=report)
        typer.echo(f"{run} on {trials.name}, {measures['images']} images: accuracy % by time step")
        if trials.origin is not None:
            typer.echo(f"  images: {trials.origin}")
        by_level = measures["accuracy_by_level"]
        for level, accuracy in {
            "all": measures["accuracy"],
            **(by_level if len(by_level) > 1 else {}),
        }.items():
            steps = " ".join(f"{value:5.1f}" for value in accuracy["percent"])
            typer.echo(f"  {level:>6}  {steps}")


Runs = Annotated[list[Path], typer.Argument(help="Evaluated runs.", metavar="RUN")]
ExitsOption = Annotated[Exits, typer.Option("--exits", help="How exits go with people's response times.")]
MissesOption = Annotated[
    Misses,
    typer.Option(
        "--misses",
        help="How a missed response is scored: as 1/16, as wrong, as a random category, or not at all.",
    ),
]
MaxUnreadable = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Largest share of people's trials, and of sessions, that may be unreadable."
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="A named set of observers to leave out, such as satbench; may be repeated."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the resampling.")]


@app.command()
def compare(
    runs: Runs,
    human: Annotated[Path, typer.Option(help="Folder with the answers, jatos_results_*.txt.")],
    out: Annotated[Path, typer.Option(help="Folder for comparison.csv and comparison.md.")] = Path("compare"),
    exits: ExitsOption = Exits.INDEX,
    misses: MissesOption = Misses.CHANCE,
    exclude: Exclude = None,
    max_unreadable: MaxUnreadable = 0.01,
    seed: Seed = 0,
) -> None:
    """Compare networks with people in one table of conditions and measures, each with its 95 % interval."""
    from convrnn_experiments.comparison import compare as comparing
    from convrnn_experiments.comparison import observer_group
    from convrnn_experiments.evaluation import results
    from convrnn_experiments.report import comparison_tables, tables
    from convrnn_experiments.runs import folder as folders

    if out.exists() and not out.is_dir():
        raise ConvRNNError(
            f"cannot write {out}: --out must be a folder, got a file. Choose another folder with --out"
        )
    evaluations = results.read_evaluations(runs)
    crowd = observer_group.read_people(
        human, named=exclude or (), misses=misses.value, seed=seed, max_unreadable=max_unreadable
    )
    rows = comparing.compare(evaluations, crowd, match=exits, seed=seed)
    for problem in crowd.table.attrs["problems"]:
        typer.echo(str(problem), err=True)
    differences = comparing.differences(rows)
    page = comparison_tables.comparison_markdown(rows, crowd, exits, differences)
    for name, data in {
        "comparison.csv": tables.as_csv(comparison_tables.comparison(rows, crowd, exits)),
        "differences.csv": tables.as_csv(comparison_tables.differences(differences)),
        "misses.csv": tables.as_csv(comparison_tables.misses(rows, crowd)),
        "compared.csv": tables.as_csv(comparison_tables.compared(rows)),
        "comparison.md": page.encode("utf-8"),
    }.items():
        with folders.written(out / name) as beside:
            beside.write_bytes(data)
    typer.echo(page)
    typer.echo(f"comparison: {out / 'comparison.csv'}, {out / 'comparison.md'}")


@app.command()
def report(
    runs: Runs,
    human: Annotated[
        Path | None,
        typer.Option(
            help="Folder with people's answers, jatos_results_*.txt.", show_default="networks alone"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write; pictures and tables go beside it.")] = Path(
        "report/index.html"
    ),
    exits: ExitsOption = Exits.INDEX,
    misses: MissesOption = Misses.CHANCE,
    exclude: Exclude = None,
    max_unreadable: MaxUnreadable = 0.01,
    seed: Seed = 0,
) -> None:
    """Write one self-contained page on evaluated runs, with its pictures and tables beside it."""
    from convrnn_experiments.report import build as reporting

    with convrnn_data.base.console.progress() as progress:
        page = reporting.write(
            runs,
            out,
            human=human,
            match=exits,
            misses=misses.value,
            named=exclude or (),
            max_unreadable=max_unreadable,
            seed=seed,
            report=progress,
        )
    typer.echo(f"report: {page}")


@app.command()
def stimuli(
    validation: Annotated[
        Path,
        typer.Argument(
            help="ILSVRC2012_img_val.tar, a prepared set (its ILSVRC validation images, else its split val), folders "
            "named by synset, or a folder of images.",
            metavar="VALIDATION",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="A new folder.", metavar="OUT")],
    labels: Annotated[
        Path | None,
        typer.Option(
            help="LOC_val_solution.csv or another CSV of image names and synsets; the devkit; or one synset a line.",
            show_default="found beside ILSVRC's images",
        ),
    ] = None,
    noise_sd: Annotated[str, typer.Option(help="Noise levels.")] = "0,0.04,0.16",
    blur_sd: Annotated[str, typer.Option(help="Blur levels, px.")] = "0,3,9",
    per_block: Annotated[int, typer.Option(min=1, help="Images in each of the five blocks.")] = 210,
    size: Annotated[int, typer.Option(min=1, help="Side, px: the stimulus size of the runs to test.")] = 224,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make a test set in the layout of the human experiments, by the perturbations that training uses."""
    with quiet_import():
        from convrnn_experiments.stimuli import make as making
    levels = making.levels_of(_numbers(noise_sd, "--noise-sd") or (), _numbers(blur_sd, "--blur-sd") or ())
    with convrnn_data.base.console.progress() as report:
        count = making.make(
            validation,
            out,
            labels=labels,
            levels=levels,
            per_block=per_block,
            size=size,
            seed=seed,
            report=report,
        )
    typer.echo(f"{count} stimuli: {out}; `convrnn-data reformat {out} NEW` gives the other layout")
