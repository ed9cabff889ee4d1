from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from convrnn_data.base.options import Only, Option, expand_options


def split(text: str) -> tuple[str, ...]:
    if not text:
        raise ValueError("must be names between commas, got ''")
    return tuple(text.split(","))


class Settings(BaseModel):
    source: Annotated[Path, Option("Where images are.", argument=True, metavar="SOURCE")]
    seed: Annotated[int, Field(ge=0), Option("Seed of the split.")] = 0
    share: Annotated[float, Field(ge=0, le=1), Option(commands=("draw",))] = 0.1
    kind: Annotated[Literal["a", "b"], Option("Which kind.", flag="--which")] = "a"
    size: Annotated[int, Field(lt=100), Option(show_default="a tenth")] = 10
    names: Annotated[tuple[str, ...], Option(type=str, parse=split, show_default="all")] = ()
    plan: str = "unset"


@dataclass(frozen=True)
class Executor:
    workers: Annotated[int | None, Option("Processes.", after="seed")] = None


def run(*arguments: str, only: str | None = None) -> tuple[Any, str]:
    got: list[Any] = []
    app = typer.Typer(rich_markup_mode=None)
    settings: Any = Annotated[Settings, Only(only)] if only else Settings

    @app.command()
    @expand_options
    def command(
        settings: settings,
        executor: Executor,
        force: Annotated[bool, Option("Replace.", flag="--force")] = False,
        name: Annotated[str, typer.Option(help="Plain.")] = "n",
    ) -> None:
        """Do it."""
        got.append((settings, executor, force, name))

    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})
    return (got[0] if got else None), result.output


def test_defaults_come_from_the_fields():
    (settings, executor, force, name), _ = run("here")
    assert settings == Settings(source=Path("here"))
    assert (executor, force, name) == (Executor(), False, "n")


def test_each_field_is_an_option():
    values = ("--seed", "3", "--share", "1", "--which", "b", "--size", "7", "--names", "x,y")
    (settings, executor, force, _), _ = run("here", *values, "--workers", "2", "--force")
    assert settings == Settings(source=Path("here"), seed=3, share=1.0, kind="b", size=7, names=("x", "y"))
    assert (executor, force) == (Executor(2), True)


def test_help_shows_bounds_defaults_and_order():
    _, output = run("--help")
    for text in (
        "Do it.",
        "SOURCE",
        "Where images are.",
        "x>=0",
        "0<=x<=1",
        "default: (a tenth)",
        "a|b",
        "Plain.",
    ):
        assert text in output
    assert "plan" not in output
    assert output.index("--seed") < output.index("--workers") < output.index("--share")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "-1"), "Invalid value for '--seed'"),
        (("--which", "c"), "Invalid value for '--which'"),
        (("--names", ""), "Invalid value for --names: must be names between commas, got ''"),
        (("--size", "100"), "Invalid value for --size: must be less than 100, got 100"),
    ],
)
def test_wrong_values_name_their_option(arguments: tuple[str, ...], message: str):
    got, output = run("here", *arguments)
    assert got is None
    assert message in " ".join(output.split())


def test_only_leaves_out_the_fields_of_other_commands():
    assert "--share" in run("--help", only="draw")[1]
    assert "--share" not in run("--help", only="other")[1]
