"""Options that commands share; those that recommend have one for each field of `Preferences`."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from hakken.data_time import first_moment
from hakken.ratings import CHOICES, FranchiseRule, Planned, Preferences, TitleNames

Command = TypeVar("Command", bound=Callable[..., None])

TABLE = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
MAX_CLOCK_DIFFERENCE = timedelta(days=1)
"""How far another clock, or the author's date in another time zone, may be ahead of ours."""
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
quiet_option = click.option("--quiet", is_flag=True, help="Print errors only.")
RANGES: Mapping[type, type[click.IntRange | click.FloatRange]] = {int: click.IntRange, float: click.FloatRange}


def _data_time(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        if value is not None and first_moment(value) > datetime.now(UTC) + MAX_CLOCK_DIFFERENCE:
            raise click.BadParameter(f"{value} is in the future.")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


def time_span(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Read a time span: a whole number of days, hours, minutes or seconds, such as 90d."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found:
        raise click.BadParameter(f"{text!r} is not a time span: write 90d, 6h or 30m.")
    return int(found[1]) * UNITS[found[2]]


data_time_option = click.option(
    "--data-time",
    callback=_data_time,
    help="Data time, such as 2026, 2026-03 or 2026-03-01, if the tables have none.",
)


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


names_option = click.option(
    "--names",
    type=click.Choice([names.value for names in TitleNames]),
    default=TitleNames.ROMAJI.value,
    show_default=True,
    help="Which names titles are shown by; a title without such a name has its main one, which is romaji.",
)


def preferences_of(chosen: Mapping[str, Any]) -> Preferences:
    """Build the preferences from the values of the options.

    Raises:
        BadOption: two of them don't go together.
    """
    kinds = {field: choice.kind(chosen[field]) for field, choice in CHOICES.items() if issubclass(choice.kind, StrEnum)}
    return Preferences(**{**chosen, **kinds})
