"""What the reader of a list should know: plain sentences."""

from collections.abc import Mapping

from hakken.model import Visitor
from hakken.ratings import UserList

POPULAR = "so these are titles that many people watch and like."
ALIKE = "so these are titles like those of which more was asked for."


def notes_on(user_list: UserList, visitor: Visitor, *, leaning: bool, ignoring: bool) -> list[str]:
    """What a list was good for, and how it was read.

    Args:
        user_list: all of it.
        visitor: what is left of it, folded in.
        leaning: whether there are titles to go by of which more was asked for.
        ignoring: whether entries are left out.
    """
    notes = []
    instead = ALIKE if leaning else POPULAR
    if not len(user_list):
        why = "Nothing on the list could be read" if user_list.skipped else "The list is empty"
        notes.append(f"{why}, {instead}")
    elif not len(visitor.taste.rows) and ignoring:
        notes.append(f"With what is left out, no watched title that we know is left of the list, {instead}")
    elif not len(visitor.taste.rows):
        notes.append(f"No watched title that we know was found on the list, {instead} Add a few that you have seen.")
    elif not len(visitor.rows):
        notes.append(
            "No title that we know has a score on the list, so these come from what was watched alone, and the "
            "predicted ratings are nearly everyone's. Score a few titles for predictions of your own."
        )
    elif len(visitor.rows) < FEW:
        scored = counted(len(visitor.rows), "scored title", "scored titles")
        notes.append(f"This rests on {scored}: with more, it will know you better.")
    if visitor.unknown:
        notes.append(f"{counted(visitor.unknown, 'scored title is', 'scored titles are')} new to us and left out.")
    return notes + list_notes(user_list)


FEW = 5
"""With fewer scored titles, a note says on how little the list rests."""


def list_notes(user_list: UserList) -> list[str]:
    """What the reader should know about how a list was read."""
    notes = []
    if user_list.skipped:
        notes.append(f"{counted(user_list.skipped, 'entry', 'entries')} of the list could not be read and left out.")
    if user_list.repeats:
        notes.append(f"{counted(user_list.repeats, 'entry', 'entries')} repeated an anime: the last of each counts.")
    return notes


def what_is_left(found: int, taken: Mapping[str, int]) -> str:
    """Why a list is short."""
    left = f"Only {counted(found, 'title is', 'titles are')}" if found else "No title is"
    filters = ", ".join(f"{name} {count:,}" for name, count in taken.items())
    return f"{left} left to recommend" + (f". Taken out: {filters}." if filters else ": the list holds all others.")


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many}"
