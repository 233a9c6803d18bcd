"""From a list to recommendations. Pure: no file, no network, no clock."""

import numpy as np
import numpy.typing as npt

from hakken.knowledge import Knowledge
from hakken.model import Visitor, fold_in, predict, top_n
from hakken.ratings import MAX_SCORE, MIN_SCORE, Preferences, Recommendation, Recommendations, UserList


def recommend(user_list: UserList, knowledge: Knowledge, preferences: Preferences) -> Recommendations:
    """Rank the anime that someone has not seen.

    The list is ordered by predicted rating among anime that at least the model's `min_raters` training users scored.
    For a list without a score that the model can use, it holds the anime that most of them scored, and a note says so.

    Args:
        user_list: the visitor's list; only its scored entries feed the prediction, no seen entry is recommended.
        knowledge: model and catalogue.
        preferences: what the visitor chose.

    Returns:
        At most `preferences.n` recommendations, best first; fewer when there are fewer candidates, with a note.
    """
    model, catalogue = knowledge
    visitor = fold_in(model, user_list)
    r_hat = predict(model, visitor)
    personal = len(visitor.rows) > 0
    match = r_hat if personal else model.arrays.raters.astype(np.float64)
    chosen = top_n(match, _candidates(user_list, knowledge, preferences), preferences.n)
    shown = r_hat.clip(MIN_SCORE, MAX_SCORE)
    recommendations = tuple(
        Recommendation(
            anime_id=anime_id,
            title=catalogue.title(anime_id),
            predicted_rating=round(float(shown[row]), 2),
            match=float(match[row]),
            support=int(model.arrays.raters[row]),
        )
        for row, anime_id in zip(chosen.tolist(), model.arrays.anime_ids[chosen].tolist(), strict=True)
    )
    notes = _notes(user_list, visitor)
    if len(recommendations) < preferences.n:
        notes.append(_what_is_left(len(recommendations), model.manifest.parameters.min_raters))
    return Recommendations(recommendations, tuple(notes), personal)


def list_notes(user_list: UserList) -> list[str]:
    """What the reader should know about how a list was read."""
    notes = []
    if user_list.skipped:
        notes.append(f"{_counted(user_list.skipped, 'entry', 'entries')} of the list could not be read and left out.")
    if user_list.repeats:
        notes.append(f"{_counted(user_list.repeats, 'entry', 'entries')} repeated an anime: the last of each counts.")
    return notes


def _candidates(user_list: UserList, knowledge: Knowledge, preferences: Preferences) -> npt.NDArray[np.bool_]:
    model, catalogue = knowledge
    allowed = model.arrays.raters >= model.manifest.parameters.min_raters
    rows, known = model.rows_of([rating.anime_id for rating in user_list.seen])
    allowed[rows[known]] = False
    if not preferences.adult:
        rows, known = model.rows_of(catalogue.adult_ids)
        allowed[rows[known]] = False
    return allowed


def _notes(user_list: UserList, visitor: Visitor) -> list[str]:
    notes = []
    if not len(user_list) and user_list.skipped:
        notes.append("Nothing on the list could be read, so these are the titles that most people have rated.")
    elif not len(user_list):
        notes.append("The list is empty, so these are the titles that most people have rated.")
    elif not len(visitor.rows):
        what = "a title that we know" if visitor.unknown else "a title"
        notes.append(
            f"No score for {what} was found on the list, so these are the titles that most people have rated. "
            "Score a few titles for recommendations of your own."
        )
    if visitor.unknown:
        notes.append(f"{_counted(visitor.unknown, 'scored title is', 'scored titles are')} new to us and left out.")
    return notes + list_notes(user_list)


def _what_is_left(found: int, min_raters: int) -> str:
    left = f"Only {_counted(found, 'title is', 'titles are')}" if found else "No title is"
    return f"{left} left to recommend among those that at least {_counted(min_raters, 'person', 'people')} rated."


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
