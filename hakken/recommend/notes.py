"""Notes on a list of recommendations, in plain sentences."""

from collections.abc import Mapping, Sequence

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.data_time import in_words, is_earlier
from hakken.model import Visitor
from hakken.ratings import UserList
from hakken.seasons import Season

POPULAR = "so these are titles that many people watch and like."
EMPTY = "The list is empty, "
ALIKE = "so these are titles like the ones you asked for more of."
BY_PLANS = "so these are based on what you plan to watch."

FEW = 5
"""With fewer scored titles, a note says so."""
NAMED = 3
"""Most titles that a note names."""


def notes_on(user_list: UserList, visitor: Visitor, bundle: ModelBundle, instead: str, *, ignoring: bool) -> list[str]:
    """Notes on what the recommendations are based on, and on how the list was read.

    Args:
        user_list: the whole list.
        visitor: the list without ignored entries, folded in.
        bundle: model and catalogue.
        instead: what the recommendations are where no watched title is known: ALIKE, BY_PLANS or POPULAR.
        ignoring: whether entries are ignored.
    """
    notes = []
    taste, n_scored = visitor.taste, len(visitor.rows)
    if not len(user_list):
        notes.append(f"{'Nothing on the list could be read, ' if user_list.skipped else EMPTY}{instead}")
    elif not taste.n_watched and ignoring:
        notes.append(f"Without the entries that are left out, the list has no watched title that we know, {instead}")
    elif not taste.n_watched:
        notes.append(f"The list has no watched title that we know, {instead} Add a few that you have seen.")
    elif not n_scored:
        told = "watched or planned" if taste.planned.any() else "watched"
        notes.append(
            f"No title that we know has a score on the list, so these are based only on what was {told}, and the "
            "predicted ratings are close to the average person's. Score a few titles to get your own."
        )
    elif n_scored < FEW:
        scored = counted(n_scored, "scored title", "scored titles")
        notes.append(f"This is based on {scored}: with more, the list will fit you better.")
    if len(visitor.new):
        notes.append(new_titles(visitor.new.tolist(), bundle.catalogue, bundle.model.manifest.data_time))
    return notes + list_notes(user_list)


def new_titles(anime_ids: Sequence[int], catalogue: Catalogue, data_time: str | None = None) -> str:
    """A note on watched titles that are new to the model, naming the best-known of them.

    Args:
        anime_ids: MyAnimeList ids, at least one; titles that the catalogue lacks are only counted.
        catalogue: gives titles' names.
        data_time: of the model, see `hakken.data_time`; where it is known, titles that came out later are named
            separately.
    """
    anime = [one for anime_id in anime_ids if (one := catalogue.get(anime_id))]
    anime.sort(key=lambda one: (-(one.members or 0), one.anime_id))
    count = len(anime_ids)
    named = f" ({_first_named(anime, count)})" if anime else ""
    new = counted(count, "watched title is", "watched titles are")
    seen, them = ("it counts", "it") if count == 1 else ("they count", "them")
    note = f"{new} new to the model{named}: {seen} as seen, but nothing is learnt from {them}."
    # By their season or, where that is unknown, their year.
    came_out = [(one, f"{one.year}-{one.first_month:02}" if one.first_month else f"{one.year}") for one in anime]
    later = [one for one, when in came_out if data_time and one.year and is_earlier(data_time, when)]
    if not later or not data_time:
        return note
    which = _first_named(later, len(later)) if len(later) < count else "all of them" if count > 1 else "it"
    return f"{note} Newer than its data of {in_words(data_time)}: {which}."


def _first_named(anime: Sequence[Anime], count: int) -> str:
    """The first few titles of `count` anime, and how many more there are."""
    titles = [one.title for one in anime[:NAMED]]
    *before, last = [*titles, f"{count - len(titles):,} more"] if count > len(titles) else titles
    return f"{', '.join(before)} and {last}" if before else last


def season_note(season: Season, bundle: ModelBundle) -> str | None:
    """A note on a season of which not all titles are known; None of others."""
    if not is_known(season, bundle):
        return f"No title from {season.words} is known here."
    data_time = bundle.model.manifest.data_time
    if not data_time or not is_earlier(data_time, season.first_month):
        return None
    known = f"For {season.words}, we know only what was known in {in_words(data_time)}"
    return f"{known}: anything announced later is missing."


def is_known(season: Season, bundle: ModelBundle) -> bool:
    """Whether any title of a season can be recommended."""
    return bool((bundle.facts.season == season.number).any())


def list_notes(user_list: UserList) -> list[str]:
    """Notes on how a list was read."""
    said = (
        (user_list.skipped, "left out: the anime could not be read."),
        (user_list.repeats, "repeated an anime: the last one counts."),
        (user_list.unclear, "with an unreadable status or score: counted as completed or not scored."),
        (user_list.manga, "for manga left out."),
    )
    notes = [f"{counted(count, 'entry', 'entries')} {what}" for count, what in said if count]
    return [*notes, "The file was damaged in places, and repaired while it was read."] if user_list.repaired else notes


def shortage(found: int, removed: Mapping[str, int]) -> str:
    """A note on why a list is short."""
    left = f"Only {counted(found, 'title is', 'titles are')}" if found else "No title is"
    filters = ", ".join(f"{name} {count:,}" for name, count in removed.items())
    return f"{left} left to recommend" + (
        f". Left out: {filters}." if filters else ": all others are on the list already."
    )


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun in singular or plural."""
    return f"{count:,} {one if count == 1 else many}"
