"""Anime facts from a site: what is read of its answers, what a page gets of them, and that no page ever waits."""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from hakken.catalogue import Anime, Link, Related
from hakken.errors import ConfigError, InvalidResponse, RateLimited, SiteBlocked, SiteBusy, SiteDown, SiteError
from hakken.sites import facts
from hakken.sites.client import HttpClient
from hakken.sites.decoding import MAX_SYNOPSIS
from hakken.sites.facts import MAX_QUEUE, SERIES_FIELDS, AnimeFacts, FactsSite, FetchQueue, filled, lacking, updated
from hakken.sites.http import Answer
from hakken.sites.jikan import Jikan
from hakken.sites.mal import Mal
from tests.serving import until
from tests.standin.faults import Faults, held
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID

SITES: dict[str, FactsSite] = {"jikan": Jikan("http://jikan.invalid"), "mal": Mal("http://mal.invalid", CLIENT_ID)}
BARE = Anime(anime_id=1, title="Bare")


@pytest.fixture(params=["jikan", "mal"])
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def details(standin: Standin, name: str) -> Iterator[AnimeFacts]:
    made = make_facts(standin, name)
    yield made
    made.queue.close()


def make_facts(standin: Standin, name: str, **changes: object) -> AnimeFacts:
    settings = standin.settings(facts_source=name, **changes)
    return AnimeFacts.from_settings(settings, HttpClient.from_settings(settings))


def settle(queue: FetchQueue) -> None:
    """Wait until nothing waits to be fetched."""
    until(lambda: not queue._queue and queue._current is None)  # noqa: SLF001  # a test looks inside


def fetched(details: AnimeFacts, anime_id: int) -> Anime:
    details.want([anime_id])
    settle(details.queue)
    return details.known(Anime(anime_id=anime_id, title=""))


# What is read of an answer


def test_all_facts_come_in_the_catalogues_words(details: AnimeFacts, standin: Standin, name: str) -> None:
    bebop = fetched(details, 1)
    assert bebop == Anime(
        anime_id=1,
        title="Cowboy Bebop",
        title_japanese="カウボーイビバップ",
        type="TV",
        episodes=26,
        genres=("Action", "Sci-Fi", "Space", "Adult Cast"),
        year=1998,
        season="Spring 1998",
        start_date="1998-04-03",
        made_from="original",
        studios=("sunrise",),
        mean=8.75,
        members=1_900_000,
        picture=f"{standin.url}/pictures/anime/1.jpg",
        synopsis=(
            "Bounty hunters drift from planet to planet, short of money and fuel. Each is running from something."
            "\n\nThen an old friend turns up.\n\n[Written by MAL Rewrite]"
        ),
        relations=(Related(5, "Side story"), Related(4037, "Summary")),
        streaming=(
            (Link("Crunchyroll", "https://stream.invalid/bebop?a=1&b=2"), Link("Netflix", "https://stream.invalid/2"))
            if name == "jikan"
            else ()
        ),
    )
    assert requests.get(bebop.picture or "", timeout=5).content.startswith(b"<svg")


FACTS: dict[int, dict[str, object]] = {
    188: {"adult": True},
    16498: {"adult": False},
    21: {"episodes": None},
    199: {"title_english": "Spirited Away"},
    918: {"title_english": "Gintama & Friends"},
    849: {
        "synonyms": ('Suzumiya "Haruhi"',),
        "synopsis": "She is bored, and the world had better not be.\n\nNobody dares to tell her & why.",
    },
    30: {
        "synopsis": "A boy is called to his father's side, to drive what he is afraid of.",
        "year": 1995,
        "studios": ("gainax", "tatsunoko production"),
    },
}


def test_what_is_odd_costs_no_other_fact_and_what_nobody_knows_stays_unknown(details: AnimeFacts) -> None:
    for anime_id, known in FACTS.items():
        found = fetched(details, anime_id)
        assert {fact: getattr(found, fact) for fact in known} == known
    assert fetched(details, 7) == Anime(anime_id=7, title="Nothing is known", relations=())
    assert fetched(details, 43) == Anime(
        anime_id=43, title="86", type="TV", genres=("Sci-Fi",), synopsis="Is still there.", relations=()
    )


def read(name: str, body: object, anime_id: int = 1, status: int = 200) -> Anime | None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SITES[name].read(Answer("site", status, text), anime_id)


def wrapped(name: str, facts: dict[str, object]) -> object:
    return {"data": {"mal_id": 1, **facts}} if name == "jikan" else {"id": 1, **facts}


def fact_of(name: str, fact: str, facts: dict[str, object]) -> Any:
    """What is read of an answer that says so much of an anime."""
    found = read(name, wrapped(name, {"title": "x", **facts}))
    assert found is not None
    return getattr(found, fact)


def test_a_synopsis_is_not_endless(name: str) -> None:
    found = fact_of(name, "synopsis", {"synopsis": "word " * 100_000})
    assert MAX_SYNOPSIS - 10 < len(found) <= MAX_SYNOPSIS
    assert found.endswith("word…")


def test_a_name_is_told_once(name: str) -> None:
    others = ["x", "y", "", "y"]
    facts: dict[str, object] = {
        "title_english": "x",
        "title_synonyms": others,
        "alternative_titles": {"en": "x", "synonyms": others},
    }
    assert (fact_of(name, "title_english", facts), fact_of(name, "synonyms", facts)) == (None, ("y",))


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "//cdn.invalid/a.jpg",
        'https://a"onerror=alert(1)',
        "https://a b",
        "https://cdn.myanimelist.net/img/sp/icon/apple-touch-icon-256.png",
        "https://cdn.myanimelist.net/images/qm_50.gif",
        "",
        None,
    ],
)
def test_what_is_no_picture_is_none_and_another_size_takes_its_place(name: str, address: str | None) -> None:
    for large in (None, "https://cdn.myanimelist.net/l.jpg"):
        jikan, mal = {"image_url": address, "large_image_url": large}, {"medium": address, "large": large}
        assert fact_of(name, "picture", {"images": {"jpg": jikan}, "main_picture": mal}) == large


OTHER = b'{"data": {"mal_id": 2}, "id": 2}'


@pytest.mark.parametrize(
    ("status", "bodies", "error"),
    [
        (200, [b"", b"[]", b"null", b"<html>", OTHER, b'"\xff"', b"[" * 10**6], InvalidResponse),
        (404, [b"<html>", b"{}"], SiteBlocked),
        (403, [b"<html>", b'{"status": 403, "error": "no"}'], SiteBlocked),
        (401, [b"", b'{"error": "invalid_token", "message": ""}'], SiteBlocked),
    ],
)
def test_nonsense_and_refusals_that_say_nothing_of_the_anime_are_no_answer(
    name: str, status: int, bodies: list[bytes], error: type[SiteError]
) -> None:
    for body in bodies:
        with pytest.raises(error) as caught:
            read(name, body, status=status)
        assert str(caught.value).endswith(".")
        assert ("MAL_CLIENT_ID" in str(caught.value)) == (name == "mal" and b"token" in body)


class Answers(HttpClient):
    """Gives one answer to whatever it is asked for, or remembers; raises it if it is an error."""

    def __init__(self, status: int = 200, body: bytes = b"", error: Exception | None = None) -> None:
        super().__init__(1.0)
        self._answer = Answer("site", status, body)
        self._error = error

    def get(self, *_: Any, **__: Any) -> Answer:
        if self._error:
            raise self._error
        return self._answer

    kept = get


def test_mal_giving_a_shorter_page_than_asked_for_loses_no_entry() -> None:
    body = b'{"data": [{"node": {"id": 1, "title": "One"}}, {}], "paging": {"next": "x"}}'
    page = SITES["mal"].fetch_page(Answers(body=body), 500)
    assert ([one.title for one in page.anime], page.skipped, page.following) == (["One"], 1, 502)


@pytest.mark.parametrize(
    ("fact", "jikan", "mal", "value"),
    [
        ("start_date", {"year": 2026, "month": 10, "day": None}, "2026-10", "2026-10"),
        ("start_date", {"year": 2026, "month": None, "day": 4}, "2026", "2026"),
        ("start_date", {"year": 2026, "month": 13, "day": 1}, "2026", "2026"),
        ("start_date", {"year": None, "month": 1, "day": 1}, "2026-13-01", None),
        ("made_from", "Light novel", "light_novel", "light novel"),
        ("made_from", "4-koma manga", "4_koma_manga", "4-koma manga"),
        ("made_from", "Other", "other", None),
        ("made_from", "Unknown", "unknown", None),
        ("made_from", " ", "_", None),
        ("type", "TV Special", "tv_special", "TV Special"),
        ("type", "CM", "cm", "CM"),
        ("type", "Unknown", "unknown", None),
    ],
)
def test_the_sites_words_for_a_fact_become_the_same(fact: str, jikan: object, mal: str, value: str | None) -> None:
    names = {"start_date": ("aired", "start_date"), "made_from": ("source", "source"), "type": ("type", "media_type")}
    jikan = {"from": "x", "prop": {"from": jikan}} if fact == "start_date" else jikan
    for site, name, words in zip(("jikan", "mal"), names[fact], (jikan, mal), strict=True):
        assert fact_of(site, fact, {name: words}) == value


# Putting facts together


SERIES: dict[str, Any] = {"series": 5, "part": 2, "kind": "film", "probable": True, "story": 6, "universe": 7}
FULL = Anime(
    anime_id=1,
    title="Old",
    title_english="English",
    synonyms=("One", "Two"),
    type="TV",
    mean=7.0,
    members=10,
    picture="https://a/old.jpg",
    relations=(),
    **SERIES,
)
NEW = Anime(
    anime_id=1,
    title="New",
    title_english="Old",
    synonyms=("English", "Three", "Old"),
    mean=8.0,
    picture="https://a/new.jpg",
    synopsis="Text.",
    relations=(Related(2, "Sequel"),),
    adult=True,
    **{**SERIES, "series": 99, "part": 98, "kind": "recap", "probable": False, "story": 97, "universe": 96},
)


def test_what_is_filled_in_overwrites_nothing_and_repeats_no_name() -> None:
    both = filled(FULL, NEW)
    for fact in ("title", "title_english", "synonyms", "type", "mean", "members", "picture", "relations"):
        assert getattr(both, fact) == getattr(FULL, fact), fact
    assert (both.synopsis, both.adult) == ("Text.", True)
    both = filled(Anime(anime_id=1, title="Old"), NEW)
    assert (both.title_english, both.synonyms) == (None, ("English", "Three"))


def test_what_is_new_goes_before_and_what_is_lacking_is_kept() -> None:
    both = updated(FULL, NEW)
    assert (both.title, both.mean, both.picture, both.members, both.type) == ("New", 8.0, "https://a/new.jpg", 10, "TV")
    assert both.relations == (Related(2, "Sequel"),)
    assert both.synonyms == ("English", "Three", "One", "Two")


@pytest.mark.parametrize("of", [FULL, NEW, BARE])
@pytest.mark.parametrize("more", [FULL, NEW, BARE])
def test_what_is_found_of_series_is_nobodys_to_tell(of: Anime, more: Anime) -> None:
    for both in (filled(of, more), updated(of, more)):
        assert [getattr(both, fact) for fact in SERIES_FIELDS] == [getattr(of, fact) for fact in SERIES_FIELDS]


INFERRED = (Related(3, "Side story", 0.6), Related(4, "Sequel", 0.9))


@pytest.mark.parametrize("asked", [(), (Related(2, "Sequel"),), (Related(2, "Sequel"), Related(3, "Other", 0.5))])
def test_what_a_site_says_of_relations_goes_before_what_was_inferred(asked: tuple[Related, ...]) -> None:
    inferred, told = (Anime(anime_id=1, title="One", relations=one) for one in (INFERRED, asked))
    assert (told.relations_asked, inferred.relations_asked) == (True, False)
    assert not Anime(anime_id=1, title="One").relations_asked
    for both in (filled(inferred, told), filled(told, inferred), updated(inferred, told), updated(told, inferred)):
        assert both.relations == asked
    assert updated(inferred, Anime(anime_id=1, title="One")).relations == INFERRED


anime_of_one = st.builds(
    lambda **facts: Anime(anime_id=1, title="Title", **facts),
    title_english=st.sampled_from([None, "E", "Title"]),
    synonyms=st.sampled_from([(), ("A",), ("B", "C")]),
    genres=st.sampled_from([(), ("Drama",)]),
    mean=st.sampled_from([None, 5.0, 6.0]),
    relations=st.sampled_from([None, (), (Related(2, "Sequel"),), INFERRED]),
    tags=st.sampled_from([(), ("Space",)]),
    made_from=st.sampled_from([None, "manga"]),
    adult=st.booleans(),
)


@given(anime_of_one, anime_of_one)
def test_nothing_known_is_ever_lost(one: Anime, other: Anime) -> None:
    unknown = Anime(anime_id=1, title="Title")
    for both in (filled(one, other), updated(one, other), updated(other, one)):
        for fact in ("genres", "mean", "relations", "adult", "synonyms", "tags", "made_from"):
            if getattr(both, fact) == getattr(unknown, fact):
                assert getattr(one, fact) == getattr(other, fact) == getattr(unknown, fact)
    assert updated(unknown, one) == filled(one, unknown)


# What a page gets


def test_only_what_the_catalogue_lacks_is_filled_in(details: AnimeFacts) -> None:
    fetched(details, 1)
    mine = Anime(anime_id=1, title="Mine", mean=1.5, picture="https://cdn.myanimelist.net/mine.jpg")
    known = details.known(mine)
    assert (known.title, known.mean, known.picture) == ("Mine", 1.5, "https://cdn.myanimelist.net/mine.jpg")
    assert known.synopsis
    assert lacking(mine)
    assert not lacking(known)


def test_nothing_is_known_before_it_was_wanted_and_then_at_once_also_to_another_worker(
    details: AnimeFacts, standin: Standin, name: str
) -> None:
    assert details.known(BARE) is BARE
    assert standin.requests == []
    assert fetched(details, 1).synopsis  # seen at once, though a moment ago there was nothing
    assert make_facts(standin, name).known(BARE).synopsis  # found on disk
    assert len(standin.requests) == 1


def test_what_broke_on_disk_is_unknown_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    for broken in (Answers(body=b'{"data": {"mal_id"'), Answers(error=RuntimeError(CLIENT_ID))):
        caplog.clear()
        assert AnimeFacts(broken, SITES["jikan"]).known(BARE) is BARE
        assert "kept of anime 1" in caplog.text
        assert CLIENT_ID not in caplog.text


def test_a_page_never_waits(details: AnimeFacts, standin: Standin, name: str) -> None:
    answer = threading.Event()
    standin.fail(name, held(answer))
    details.want(range(1, 21))
    until(lambda: bool(standin.requests))
    assert details.known(BARE) is BARE
    assert len(standin.requests) == 1
    answer.set()


def test_each_is_asked_for_once_also_what_the_site_does_not_know(details: AnimeFacts, standin: Standin) -> None:
    for _ in range(3):
        details.want([1, 99_999, 1])
    settle(details.queue)
    details.want([99_999, 1])
    settle(details.queue)
    assert [seen.path.split("/")[4] for seen in standin.requests] == ["1", "99999"]
    unknown = Anime(anime_id=99_999, title="Bare")
    assert details.known(unknown) is unknown


@pytest.mark.parametrize("fault", [Faults.FORBIDDEN_HTML, Faults.TRUNCATED_JSON, Faults.WRONG_TYPES, Faults.NOT_UTF8])
def test_a_failure_is_told_of_kills_nothing_and_is_left_alone_for_a_while(
    details: AnimeFacts, standin: Standin, name: str, fault: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hakken")
    standin.fail(name, fault)
    fetched(details, 1)
    asked = len(standin.requests)
    standin.mend(name)
    fetched(details, 1)
    assert len(standin.requests) == asked
    assert fetched(details, 5).synopsis
    assert "anime 1 could not be fetched" in caplog.text
    assert not any(secret in caplog.text for secret in (CLIENT_ID, "http://", "127.0.0.1:", "Traceback"))


def test_what_failed_is_asked_for_again_later(
    details: AnimeFacts, standin: Standin, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "FAILED_SECONDS", 0.1)
    standin.fail(name, Faults.FORBIDDEN_HTML)
    fetched(details, 1)
    standin.mend(name)
    time.sleep(0.2)
    assert fetched(details, 1).synopsis


def asking_threads() -> int:
    return sum(one.name == "anime-facts" for one in threading.enumerate())


def test_off_means_off_and_mal_without_a_client_id_is_refused_at_start(standin: Standin) -> None:
    before = asking_threads()  # other tests' apps may have theirs
    details = make_facts(standin, "off")
    details.want([1])
    assert details.known(BARE) is BARE
    assert standin.requests == []
    assert asking_threads() == before
    with pytest.raises(ConfigError, match="MAL_CLIENT_ID"):
        make_facts(standin, "mal", mal_client_id="")


# The thread that asks


class Site:
    """Remembers what it was asked for; each answer waits until it is let go, and is then the next of the outcomes."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.held = threading.Event()
        self.outcomes: list[Exception] = []

    def fetch(self, anime_id: int) -> None:
        self.asked.append(anime_id)
        assert self.held.wait(20)
        if self.outcomes:
            raise self.outcomes.pop()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def asking(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchQueue]:
    monkeypatch.setattr(facts, "REST_SECONDS", 0.01)
    made = FetchQueue(site.fetch)
    yield made
    site.held.set()
    made.close()


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ([[2, 3], [7, 2, 8, 7]], [7, 2, 8, 3]),
        ([range(1000, 1010), range(2000, 4000)], range(2000, 2000 + MAX_QUEUE)),
    ],
    ids=["in the order of the page", "what is too much is dropped, the oldest first"],
)
def test_who_came_last_is_served_first(
    site: Site, asking: FetchQueue, wanted: list[Iterable[int]], asked: Iterable[int]
) -> None:
    asking.want([1])
    until(lambda: site.asked == [1])
    for some in wanted:
        asking.want(some)
    site.held.set()
    settle(asking)
    assert site.asked == [1, *asked]


@pytest.mark.parametrize(
    ("outcomes", "asked"),
    [
        ([SiteDown("Down.")], [1, 2]),
        ([SiteBusy("Busy.", 0.05)], [1, 2]),
        ([InvalidResponse("No.")], [1, 2]),
        ([RuntimeError("x")], [1, 2]),
        ([RateLimited("Not yet."), RateLimited("Not yet.", 0.01)], [1, 1, 1, 2]),  # it keeps its place
    ],
)
def test_nothing_kills_the_thread(site: Site, asking: FetchQueue, outcomes: list[Exception], asked: list[int]) -> None:
    site.outcomes = outcomes
    site.held.set()
    asking.want([1, 2])
    settle(asking)
    assert site.asked == asked


def test_a_site_that_is_down_rests(site: Site, asking: FetchQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "REST_SECONDS", 0.4)
    site.outcomes = [SiteDown("Down.")]
    site.held.set()
    begun = time.monotonic()
    asking.want([1, 2])
    settle(asking)
    assert time.monotonic() - begun >= 0.4


def test_it_can_be_closed_at_any_time_and_wants_no_more(site: Site, asking: FetchQueue) -> None:
    before = asking_threads()
    site.held.set()
    asking.want(range(1, 50))
    asking.close()
    asking.want([99])
    settle(asking)
    assert 99 not in site.asked
    assert asking_threads() <= before


def test_many_who_want_at_once_ask_for_each_once(site: Site, asking: FetchQueue) -> None:
    site.held.set()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(asking.want, [range(1, 60)] * 8))
    settle(asking)
    assert sorted(site.asked) == list(range(1, 60))


def test_what_is_held_in_memory_has_a_size_and_the_oldest_leave_first(
    monkeypatch: pytest.MonkeyPatch, standin: Standin
) -> None:
    monkeypatch.setattr(facts, "MAX_FOUND_BYTES", 20_000)
    made = make_facts(standin, "jikan")
    known = [
        Anime(anime_id=number, title="x", synopsis="y" * size) for number, size in enumerate([900] * 40 + [40_000])
    ]
    for one in known:
        made._hold(one.anime_id, one)  # noqa: SLF001  # a test looks inside
    left = sorted(made._held)  # noqa: SLF001  # a test looks inside
    assert left == [*range(40 - len(left), 40)]
    assert 12 <= len(left) <= 20
    for number in range(100, 1000):
        made._hold(number, None)  # noqa: SLF001  # a test looks inside
    assert len(made._held) == 100  # noqa: SLF001  # a test looks inside
