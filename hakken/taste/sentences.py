"""Sentences of a taste profile."""

from hakken.ratings import UserList
from hakken.taste.profile import Counts

FEW = 10
"""With fewer scored titles, a note says so."""
SAME = 0.05
"""Smaller differences, in score points, would be written as 0.0 and count as none."""


def generosity_in_words(b_u: float, share: float, compared: int) -> str:
    """A sentence on how someone scores.

    Args:
        b_u: user bias, score points.
        share: the part of people, 0-1, who score lower.
        compared: number of scores; with few, the comparison with other people is left out.
    """
    # b_u is an estimate, shrunk towards 0 where there are few scores.
    begin = "So far, you seem to" if compared < FEW else "You seem to"
    if abs(b_u) < SAME:
        return f"{begin} rate titles just as people on average rate the same ones."
    how, others, manner = ("higher", share, "generously") if b_u > 0 else ("lower", 1 - share, "strictly")
    size = f"{abs(b_u):.1f}"
    points = f"{size} point{'' if size == '1.0' else 's'}"
    difference = f"{begin} rate {points} {how} than people on average rate the same titles"
    return f"{difference}." if compared < FEW else f"{difference}: more {manner} than {percent(others)}."


def percent(share: float) -> str:
    """A share of people, 0-1, in words; never "nobody" or "everyone"."""
    whole = round(100 * share)
    if whole < 1:
        return "hardly anyone"
    return "nearly everyone" if whole > 99 else f"{whole} % of them"  # noqa: PLR2004  # of a hundred


def notes_on(user_list: UserList, counts: Counts, *, scores_differ: bool) -> list[str]:
    """Notes on what the profile lacks.

    Args:
        user_list: the list.
        counts: what it holds.
        scores_differ: whether the compared scores differ.
    """
    if not counts.entries:
        why = "Nothing on the list could be read" if user_list.skipped else "The list is empty"
        return [f"{why}: there is no taste to be read from it yet."]
    if not counts.compared:
        which = "that we know has a score on the list" if counts.scored else "on the list has a score"
        return [f"No title {which}, so nothing can be compared with what others gave."]
    notes = []
    if not scores_differ and counts.compared > 1:
        notes.append("All scores that can be compared are the same: they don't tell what is liked more than the rest.")
    elif counts.compared < FEW:
        count = "one scored title" if counts.compared == 1 else f"{counts.compared} scored titles"
        notes.append(f"This rests on {count}: with more, there is more to be said, and it is surer.")
    if unknown := counts.scored - counts.compared:
        which = "1 scored title is" if unknown == 1 else f"{unknown:,} scored titles are"
        notes.append(f"{which} new to the model, and compared with nothing.")
    return notes
