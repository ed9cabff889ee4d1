"""Command `convrnn-model inspect | summary | fetch | classify | export`: parse, call, print."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from convrnn_model.errors import ConvRNNError
from convrnn_model.printing import finish_printing, make_printing_safe
from convrnn_model.variants import variant_named
from convrnn_model.weights.inspection import inspect_weights
from convrnn_model.weights.pretrained import PRETRAINED, fetch_weights

if TYPE_CHECKING:
    from convrnn_model.cost import Cost

NAME = "convrnn-model"
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """BL, B and their family (Spoerer et al. 2020): identify weights files, and print the cost of networks."""


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="HDF5 weights file.")]) -> None:
    """Identify network, classes, time steps and data set of a weights file by its content."""
    info = inspect_weights(file)
    for label, value in (
        ("network", info.variant),
        ("filters", " ".join(map(str, info.filters))),
        ("classes", info.classes),
        ("time steps", info.n_timesteps),
        ("data set", info.dataset or "unknown"),
        ("sha256", info.sha256),
        *([("readouts", "every layer")] if info.layer_readouts else []),
    ):
        typer.echo(f"{label:<11}{value}")


@app.command()
def summary(
    network: Annotated[str, typer.Argument(help="bl, b, b_k, b_f, b_d, b_u, bt or blt.")],
    classes: Annotated[int, typer.Option(help="Number of classes of the readout.")] = 1000,
    timesteps: Annotated[int, typer.Option(help="Time steps of recurrent networks.")] = 8,
    image_size: Annotated[int, typer.Option(help="Side of the image, px.")] = 128,
    width: Annotated[float, typer.Option(help="Factor on the number of filters.")] = 1.0,
    layer_readouts: Annotated[bool, typer.Option("--layer-readouts", help="Read out every layer.")] = False,
) -> None:
    """Print a network's layers, parameters, and multiply-adds per time step."""
    variant = variant_named(network)
    # Imported here so that the other commands start without Keras and its backend.
    from convrnn_model import multiply_adds
    from convrnn_model.networks import BUILDERS

    options: dict[str, Any] = {"width": width, "layer_readouts": layer_readouts}
    if variant.recurrent:
        options["n_timesteps"] = timesteps
    model = BUILDERS[variant.name]((image_size, image_size, 3), classes, **options)
    _print_cost(f"{variant.name}, {image_size} px, {classes} classes", multiply_adds(model))


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help=", ".join(PRETRAINED))],
    cache: Annotated[Path | None, typer.Option(help="Cache directory for weights.")] = None,
) -> None:
    """Download published weights, verify their content, and print the path."""
    path = fetch_weights(name, cache=cache, report=_progress if sys.stderr.isatty() else None)
    typer.echo(path)


@app.command()
def classify(
    photos: Annotated[
        list[Path], typer.Argument(help="JPEG, PNG, GIF, BMP, TIFF or WebP files.", metavar="PHOTO")
    ],
    weights: Annotated[
        str, typer.Option(help=f"{', '.join(PRETRAINED)}, or a weights file.")
    ] = "bl_imagenet",
    top: Annotated[int, typer.Option(help="Number of classes to show at each time step.", min=1)] = 3,
    categories: Annotated[
        bool, typer.Option("--categories", help="Score the 16 categories of SATBench instead of the classes.")
    ] = False,
    timesteps: Annotated[
        int | None, typer.Option(help="Number of time steps.", min=1, show_default="those of the file")
    ] = None,
    cumulative_readout: Annotated[
        bool, typer.Option("--cumulative-readout", help="Sum the readouts up to each time step.")
    ] = False,
    image_size: Annotated[int, typer.Option(help="Side of the network's input, px.", min=1)] = 128,
    picture: Annotated[Path | None, typer.Option(help="PNG or PDF file to draw.")] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
) -> None:
    """Print the most probable classes of photos, and the entropy of the readout, at each time step."""
    from convrnn_model.classify import command

    answers = command.classify(
        photos,
        _weights(weights),
        classes="16" if categories else "all",
        n_timesteps=timesteps,
        cumulative_readout=cumulative_readout,
        image_size=image_size,
    )
    typer.echo(command.table(answers, top))
    for written in command.write(answers, top, picture=picture, csv=csv):
        typer.echo(f"written: {written}")


@app.command()
def export(
    network: Annotated[str, typer.Argument(help=f"{', '.join(PRETRAINED)}, or an HDF5 weights file.")],
    out: Annotated[
        Path, typer.Argument(help="File to write: .onnx, .xml (OpenVINO), .safetensors or .keras.")
    ],
    batch: Annotated[
        int | None, typer.Option(help="Number of images.", min=1, show_default="any number")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the image, px.", min=1, show_default="128")
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            help="softmax, pre_softmax, features, or a layer at a time step; repeat the option for further layers.",
            show_default="softmax",
        ),
    ] = None,
    timesteps: Annotated[
        int | None, typer.Option(help="Number of time steps.", min=1, show_default="those of the file")
    ] = None,
    cumulative_readout: Annotated[
        bool, typer.Option("--cumulative-readout", help="Sum the readouts up to each time step.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write a network as ONNX, OpenVINO, safetensors or Keras, and compare the file with the network."""
    from convrnn_model import export_network

    report = export_network(
        _weights(network),
        out,
        batch=batch,
        image_size=image_size,
        outputs=outputs[0] if outputs and len(outputs) == 1 else outputs,
        n_timesteps=timesteps,
        cumulative_readout=cumulative_readout,
        force=force,
    )
    typer.echo(report)


def _weights(name: str) -> Path:
    """Return a weights file, or the downloaded file of published weights."""
    path = Path(name)
    if name in PRETRAINED and not path.is_file():
        return fetch_weights(name, report=_progress if sys.stderr.isatty() else None)
    return path


def main() -> NoReturn:
    """Run the command and exit: 0 success, 1 ConvRNNError, 2 wrong usage, 130 interrupted."""
    make_printing_safe()
    code = _run()
    finish_printing()
    sys.exit(code)


def _run() -> int:
    try:
        _require_current_folder()
        code = app(prog_name=NAME, standalone_mode=False)
    except TyperException as error:
        # Without arguments, the help has already been printed.
        if type(error).__name__ != "NoArgsIsHelpError":
            context = getattr(error, "ctx", None)
            _echo_error(
                f"{error.format_message()} (see `{context.command_path if context else NAME} --help`)"
            )
        code = error.exit_code
    except ConvRNNError as error:
        _echo_error(str(error))
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        _echo_error("interrupted; run the same command again")
    return code or 0


def _require_current_folder() -> None:
    """Raise an error if the working directory was removed, since relative paths are meaningless there."""
    try:
        os.getcwd()
    except OSError as error:
        raise ConvRNNError(
            f"the current folder cannot be used: {error.strerror}. It was probably removed or unmounted: change to a "
            "folder that exists (`cd`) and run the command again."
        ) from error


def _echo_error(message: str) -> None:
    print(f"{NAME}: error: {' '.join(message.split())}", file=sys.stderr)


def _progress(name: str, received: int, total: int) -> None:
    print(
        f"\r{name} {received / 1e6:.0f} of {total / 1e6:.0f} MB",
        end="\n" if received == total else "",
        file=sys.stderr,
    )


def _print_cost(title: str, cost: "Cost") -> None:
    typer.echo(
        f"{title}: {sum(cost.parameters.values()):,} parameters, {cost.total / 1e9:.2f} G multiply-adds\n"
    )
    typer.echo(f"{'layer':<28}{'parameters':>12}{'M multiply-adds at t = 0':>27}{'later steps':>14}")
    for name, parameters in cost.parameters.items():
        first, *later = cost.layers.get(name, (None,))
        counts = [] if first is None else [first, *([max(later)] if later else [])]
        millions = [f"{count / 1e6:,.2f}" for count in counts]
        typer.echo(
            f"{name:<28}{parameters:>12,}{''.join(f'{m:>{w}}' for m, w in zip(millions, (27, 14), strict=False))}"
        )
    typer.echo(f"\n{'time step':<12}{'G multiply-adds':>16}{'cumulative':>12}")
    for time, (count, cumulative) in enumerate(zip(cost.per_timestep, cost.cumulative, strict=True)):
        typer.echo(f"{time:<12}{count / 1e9:>16.2f}{cumulative / 1e9:>12.2f}")


if __name__ == "__main__":
    main()
