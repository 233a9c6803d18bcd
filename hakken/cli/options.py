"""Options that commands share; those that recommend have one for each field of `Preferences`."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from hakken.ratings import CHOICES, FranchiseRule, Planned, Preferences

Command = TypeVar("Command", bound=Callable[..., None])

TABLE = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
quiet_option = click.option("--quiet", is_flag=True, help="Print errors only.")
RANGES: Mapping[type, type[click.IntRange | click.FloatRange]] = {int: click.IntRange, float: click.FloatRange}


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator for several options, which `--help` shows in this order."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


def table_options(ratings: str, anime: str) -> Callable[[Command], Command]:
    """The options of tables, with the help of two of them."""
    return together(
        click.option("--ratings", type=TABLE, required=True, help=ratings),
        click.option("--anime", type=TABLE, help=anime),
        click.option("--titles", type=TABLE, help="Table of further names and facts; requires --anime."),
        click.option("--relations", type=TABLE, help="Table of related anime; requires --anime."),
    )


def _options() -> Iterator[Callable[[Command], Command]]:
    for field, choice in CHOICES.items():
        kind: click.ParamType[Any] | None = None
        default = choice.default
        if choice.bounds:
            kind = RANGES[choice.kind](*choice.bounds)
        elif issubclass(choice.kind, StrEnum):
            kind, default = click.Choice([value.value for value in choice.kind]), default.value
        yield click.option(
            "-n" if field == "n" else f"--{choice.name.replace('_', '-')}",
            field,
            type=kind,
            default=default,
            show_default=True,
            multiple=choice.most > 0,
            is_flag=choice.kind is bool,
            help=choice.about["description"] + (" May be repeated." if choice.most else ""),
        )
    for name, field, value in (
        ("--no-franchise", "franchise", FranchiseRule.ALL),
        ("--hide-planned", "planned", Planned.HIDE),
    ):
        yield click.option(name, field, flag_value=value.value, help=f"The same as --{field} {value}.")


preference_options = together(*_options())
"""Options named as the fields of `Preferences`."""


def preferences_of(chosen: Mapping[str, Any]) -> Preferences:
    """Build the preferences from the values of the options.

    Raises:
        BadOption: two of them don't go together.
    """
    kinds = {field: choice.kind(chosen[field]) for field, choice in CHOICES.items() if issubclass(choice.kind, StrEnum)}
    return Preferences(**{**chosen, **kinds})
