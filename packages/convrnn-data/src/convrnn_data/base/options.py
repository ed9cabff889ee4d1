"""Command-line options generated from the fields of models: types, bounds, defaults and help texts are declared once.

Example:
    Command with the option `--seed`, an integer of at least 0:

        class Settings(BaseModel):
            seed: Annotated[int, Field(ge=0), Option("Seed of the split.")] = 0

        @app.command()
        @expand_options
        def prepare(settings: Settings) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from convrnn_data.base.validation import rule_and_value

_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """Command-line properties of a field or parameter that its annotation, bounds and default do not determine.

    Attributes:
        help: Help text.
        flag: Option name, such as "--perturb"; derived from the field name by default. A boolean option with an
            explicit name has no `--no-` form.
        argument: Whether the value is positional.
        metavar: Placeholder in the help text.
        show_default: Whether the help text shows the default, or a description of it. With a description, an option
            that is not given is not passed to the model, which applies its own default.
        type: Type on the command line; the field's type by default.
        parse: Converts a value of `type` to the field's type; raises ValueError with the rule and the value.
        after: Name of the option after which the help text lists this one, if the command has it.
        commands: Commands that accept the option; all by default. See `Only`.
    """

    help: str | None = None
    flag: str | None = None
    argument: bool = False
    metavar: str | None = None
    show_default: str | bool = True
    type: Any = None
    parse: Callable[[Any], Any] | None = None
    after: str | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Only:
    """Restriction of a parameter such as `Annotated[Config, Only("features")]` to the options of one command."""

    command: str


class _Field(NamedTuple):
    """Field of a model, or parameter of a command function."""

    name: str
    annotation: Any
    default: Any
    metadata: tuple[Any, ...]

    @property
    def option(self) -> Option | None:
        return next((item for item in self.metadata if isinstance(item, Option)), None)

    @property
    def after(self) -> str | None:
        return self.option.after if self.option else None

    @property
    def flag(self) -> str:
        option = self.option or Option()
        if option.argument:
            return option.metavar or self.name.upper()
        return option.flag or f"--{self.name.replace('_', '-')}"


def expand_options(function: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter annotated with a model by one option for each field that has an `Option`.

    A model is a Pydantic model or a dataclass; the function receives an instance. A value that the model rejects is
    reported as wrong usage of the option. Other parameters may have an `Option` or any annotation that Typer accepts.
    """
    expanded: dict[str, tuple[Callable[..., Any], list[_Field]]] = {}
    parameters: list[_Field] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        annotation, metadata = _without_metadata(parameter.annotation)
        if hasattr(annotation, "model_fields") or is_dataclass(annotation):
            options = list(_options(annotation, metadata))
            expanded[parameter.name] = (annotation, options)
            parameters += options
        else:
            parameters.append(_Field(parameter.name, annotation, parameter.default, metadata))

    @functools.wraps(function)
    def command(**values: Any) -> None:
        for field in parameters:
            values[field.name] = _parse(field, values[field.name])
        for name, (model, options) in expanded.items():
            given = {field.name: values.pop(field.name) for field in options}
            values[name] = _build(model, options, given)
        function(**values)

    del command.__wrapped__  # Typer would use the signature of the wrapped function.
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_typer_parameter(field) for field in _ordered(parameters)]
    )
    command.__annotations__ = {}
    return command


def _without_metadata(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return inner, tuple(metadata)
    return annotation, ()


def _options(model: Any, metadata: tuple[Any, ...]) -> Iterator[_Field]:
    command = next((item.command for item in metadata if isinstance(item, Only)), None)
    for field in _fields(model):
        option = field.option
        if option and (command is None or not option.commands or command in option.commands):
            yield field


def _fields(model: Any) -> Iterator[_Field]:
    if hasattr(model, "model_fields"):
        for name, field in model.model_fields.items():
            default = _REQUIRED if field.is_required() else field.default
            yield _Field(name, field.annotation, default, tuple(field.metadata))
        return
    hints = get_type_hints(model, include_extras=True)
    for field in fields(model):
        default = _REQUIRED if field.default is MISSING else field.default
        annotation, metadata = _without_metadata(hints[field.name])
        yield _Field(field.name, annotation, default, metadata)


def _ordered(parameters: list[_Field]) -> list[_Field]:
    names = {field.name for field in parameters}
    moved = [field for field in parameters if field.after in names]
    ordered = [field for field in parameters if field not in moved]
    for field in moved:
        before = next(index for index, other in enumerate(ordered) if other.name == field.after)
        ordered.insert(before + 1, field)
    return ordered


def _typer_parameter(field: _Field) -> inspect.Parameter:
    annotation, default, metadata = field.annotation, field.default, field.metadata
    if option := field.option:
        annotation = option.type or annotation
        if isinstance(option.show_default, str):
            annotation, default = annotation | None, None
        metadata = (_typer_info(field, option),)
    if metadata:
        annotation = Annotated[annotation, *metadata]
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _typer_info(field: _Field, option: Option) -> Any:
    import typer

    shared: dict[str, Any] = {
        "help": option.help,
        "metavar": option.metavar,
        "show_default": option.show_default,
        "min": _bound(field, "ge"),
        "max": _bound(field, "le"),
    }
    if option.argument:
        return typer.Argument(**shared)
    return typer.Option(*([option.flag] if option.flag else []), **shared)


def _bound(field: _Field, name: str) -> Any:
    """Return an inclusive bound, declared with `annotated_types` or, in a dataclass, with `pydantic.Field`."""
    nested = (inner for item in field.metadata for inner in getattr(item, "metadata", ()))
    bounds = (getattr(item, name, None) for item in (*field.metadata, *nested))
    return next((bound for bound in bounds if bound is not None), None)


def _parse(field: _Field, value: Any) -> Any:
    import typer

    if value is None or field.option is None or field.option.parse is None:
        return value
    try:
        return field.option.parse(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=field.flag) from error


def _build(model: Callable[..., Any], options: list[_Field], values: Mapping[str, Any]) -> Any:
    import typer

    described = {
        field.name for field in options if field.option and isinstance(field.option.show_default, str)
    }
    given = {name: value for name, value in values.items() if value is not None or name not in described}
    try:
        return model(**given)
    except ValueError as error:
        if not hasattr(error, "errors"):
            raise
        first = error.errors(include_url=False)[0]
        flags = {field.name: field.flag for field in options}
        named = next((flags[part] for part in first["loc"] if part in flags), None)
        raise typer.BadParameter(rule_and_value(first), param_hint=named) from error
