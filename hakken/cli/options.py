"""Options that commands share; those that recommend have one for each field of `Preferences`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from hakken.cli.plain_errors import plain_errors
from hakken.ratings import MAX_N, FranchiseRule, Order, Planned, Preferences

Command = TypeVar("Command", bound=Callable[..., None])

TABLE = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
quiet_option = click.option("--quiet", is_flag=True, help="Print errors only.")

OPTIONS = (
    click.option("-n", type=click.IntRange(1, MAX_N), default=10, show_default=True, help="How many recommendations."),
    click.option(
        "--order",
        type=click.Choice([order.value for order in Order]),
        default=Order.MATCH.value,
        show_default=True,
        help="What the list is ordered by.",
    ),
    click.option(
        "--popularity",
        type=click.FloatRange(-1, 1),
        default=0.0,
        show_default=True,
        help="From -1, niche titles first, to 1, popular titles first.",
    ),
    click.option(
        "--franchise",
        type=click.Choice([rule.value for rule in FranchiseRule]),
        default=FranchiseRule.NEW.value,
        show_default=True,
        help="new: one title of each series that is new; unrelated: also none of a universe that was begun; all.",
    ),
    click.option(
        "--no-franchise", "franchise", flag_value=FranchiseRule.ALL.value, help="The same as --franchise all."
    ),
    click.option("--type", "types", multiple=True, help="Only this type, such as TV; may be repeated."),
    click.option("--genre", "genres", multiple=True, help="Only titles with this genre; may be repeated."),
    click.option("--without-genre", "without_genres", multiple=True, help="No titles with this genre."),
    click.option("--year-from", type=click.IntRange(1900, 2200), help="Only titles of this year or later."),
    click.option("--year-to", type=click.IntRange(1900, 2200), help="Only titles of this year or earlier."),
    click.option(
        "--min-members",
        type=click.IntRange(0),
        default=0,
        help="Only titles that at least so many people list at the site.",
    ),
    click.option(
        "--planned",
        type=click.Choice([one.value for one in Planned]),
        default=Planned.SHOW.value,
        show_default=True,
        help="Titles that the user plans to watch: show them, hide them, or show only them.",
    ),
    click.option("--hide-planned", "planned", flag_value=Planned.HIDE.value, help="The same as --planned hide."),
    click.option(
        "--ignore",
        "ignored",
        type=click.IntRange(1),
        multiple=True,
        help="Id of an entry that must not influence the list.",
    ),
    click.option(
        "--hide", "hidden", type=click.IntRange(1), multiple=True, help="Id of a title that must not be recommended."
    ),
    click.option("--like", type=click.IntRange(1), multiple=True, help="Id of a title: recommend more of its kind."),
    click.option(
        "--rated-only",
        is_flag=True,
        help="No titles that are recommended by genres, tags and studio.",
    ),
    click.option("--adult", is_flag=True, help="Include titles for adults."),
)


def preference_options(command: Command) -> Command:
    """Add the options to a command, named as the fields of `Preferences`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def preferences_of(chosen: Mapping[str, Any]) -> Preferences:
    """Build the preferences from the values of the options."""
    with plain_errors():
        kinds = {
            "order": Order(chosen["order"]),
            "franchise": FranchiseRule(chosen["franchise"]),
            "planned": Planned(chosen["planned"]),
        }
        return Preferences(**{**chosen, **kinds})
