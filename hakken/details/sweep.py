"""Going through all anime of a site, and asking alone for what its lists do not tell. Each step is kept in a `Walk`."""

from collections.abc import Callable, Iterable

from hakken.catalogue import Anime, Catalogue
from hakken.details.base import FactsSite
from hakken.details.walk import Alone, Walk
from hakken.errors import SiteError
from hakken.http import HttpClient

MAX_FAILURES = 5
"""When so many titles in a row could not be had, it is the site that fails, and not they."""


def sweep(walk: Walk, site: FactsSite, http: HttpClient, advance: Callable[[int], None]) -> None:
    """Read all pages that are left.

    Args:
        walk: what was read so far; each page is added to it.
        site: whose anime they are.
        http: asks it, as often as it allows.
        advance: told of each page how many entries it had.

    Raises:
        SiteError: a page could not be had. Those before it are kept.
    """
    while not walk.walked:
        place = site.first if walk.place is None else walk.place
        request = site.page(place)
        answer = http.get(request.url, http.new_deadline(), params=request.params, headers=request.headers)
        page = site.read_page(answer, place)
        walk.add(page)
        advance(len(page.anime) + page.skipped)


def gaps(walk: Walk, before: Catalogue, limit: int) -> list[int]:
    """Ids of the anime to ask for alone, those that most people watch first.

    That is each of which no site was asked how it is related, since lists don't tell; and of those that the site's list
    lacks, each without a picture or a synopsis. Once in a run.

    Args:
        walk: what was read so far.
        before: what was known before.
        limit: how many a run may ask for in all.
    """
    lacking = [
        one
        for one in walk.over(before).values()
        if one.anime_id not in walk.asked and (not one.relations_asked or _lacks(one, walk))
    ]
    lacking.sort(key=_rank)
    return [one.anime_id for one in lacking[: max(0, limit - len(walk.asked))]]


def _lacks(anime: Anime, walk: Walk) -> bool:
    return anime.anime_id not in walk.anime and (anime.picture is None or anime.synopsis is None)


def _rank(anime: Anime) -> tuple[bool, int, int]:
    """What was never asked for goes before what the site may just not have."""
    return anime.relations_asked, -(anime.members or 0), anime.anime_id


def fill(
    walk: Walk, site: FactsSite, http: HttpClient, anime_ids: Iterable[int], advance: Callable[[int], None]
) -> None:
    """Ask for some anime alone; one that can't be had is counted.

    Args:
        walk: what each gave is added to it.
        site: whom to ask.
        http: asks it, as often as it allows.
        anime_ids: of whom.
        advance: told of each.

    Raises:
        SiteError: several in a row could not be had. Those before them are kept.
    """
    failures: list[int] = []
    for anime_id in anime_ids:
        try:
            found = _ask(site, http, anime_id)
        except SiteError:
            failures.append(anime_id)
            if len(failures) == MAX_FAILURES:
                raise
            continue
        for failed in failures:  # which are not the site's failures, then; else the next run asks for them again
            walk.add(Alone(failed, None))
        walk.add(Alone(anime_id, found))
        advance(1 + len(failures))
        failures.clear()
    for failed in failures:
        walk.add(Alone(failed, None))
    advance(len(failures))


def _ask(site: FactsSite, http: HttpClient, anime_id: int) -> Anime | None:
    request = site.about(anime_id)
    answer = http.get(request.url, http.new_deadline(), params=request.params, headers=request.headers)
    return site.read(answer, anime_id)
