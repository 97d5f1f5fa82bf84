"""Help texts: Typer's, in which a flag is not followed by the type of its value."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Parameter(Protocol):
    metavar: str | None


def _without_types_of_flags(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            _blank(parameter)
    return parameters


def _blank(parameter: _Parameter) -> None:
    parameter.metavar = ""


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's own copy of Click
        return _without_types_of_flags(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        return _without_types_of_flags(super().get_params(ctx))


class Commands(typer.Typer):
    """A group of commands in the style of retrainer."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(
            cls=_Group,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            rich_markup_mode="markdown",
            context_settings={"help_option_names": ["-h", "--help"]},
            **options,
        )

    def add(self, name: str, function: _Function) -> None:
        """Make the function the command of this name; its docstring is the help text."""
        self.command(name, cls=_Command)(function)
