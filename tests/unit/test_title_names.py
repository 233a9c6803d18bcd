"""Titles by their English, romaji or Japanese names: views of a bundle that cost nothing, and which a browser gets."""

import dataclasses
import gc
import weakref

import pytest
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.ratings import Preferences, Rating, Reason, TitleNames, UserList
from hakken.recommend import recommend
from hakken.web.filter_choices import filter_choices
from hakken.web.picks_page import title_index
from hakken.web.template_filters import isolated
from hakken.web.title_names import by_language

NAMED = {
    1: Anime(anime_id=1, title="Sen to", title_english="Spirited Away", title_japanese="千と千尋", genres=("Told",)),
    2: Anime(anime_id=2, title="Mononoke", title_japanese="もののけ姫", genres=("Told",)),
    4: Anime(anime_id=4, title="Bare", genres=("Told",)),
}
TITLES = {
    TitleNames.ROMAJI: ["Sen to", "Mononoke", "Bare"],
    TitleNames.ENGLISH: ["Spirited Away", "Mononoke", "Bare"],
    TitleNames.JAPANESE: ["千と千尋", "もののけ姫", "Bare"],
}


@pytest.fixture
def told(bundle: ModelBundle) -> ModelBundle:
    return ModelBundle(bundle.model, Catalogue((dict(bundle.catalogue) | NAMED).values()))


@pytest.mark.parametrize("names", TitleNames)
def test_a_view_differs_in_names_alone_and_shares_all_the_rest(told: ModelBundle, names: TitleNames) -> None:
    view = told.named(names)

    for catalogue in (view.catalogue, view.catalogue):  # the second time from its cache
        assert [catalogue.title(one) for one in NAMED] == TITLES[names]
    assert [view.catalogue[one].title for one in NAMED] == TITLES[names]
    assert view.catalogue.title(99_999) == "MyAnimeList #99999"
    assert [view.catalogue.main[one] for one in NAMED] == [*NAMED.values()]
    # Where the English title is shown, no other English title differs from it.
    assert view.catalogue[1].title_english == (None if names is TitleNames.ENGLISH else "Spirited Away")
    assert {one.anime_id: one for one in view.catalogue.values()}.keys() == told.catalogue.keys()
    # Made once; and nothing that takes memory or time is there twice.
    assert told.named(names) is view
    assert (view is told) == (names is TitleNames.ROMAJI)
    assert view.model is told.model
    assert view.facts is told.facts
    assert title_index(view) is title_index(told)
    assert filter_choices(view) is filter_choices(told)
    own, shared = vars(view.catalogue), vars(told.catalogue)
    assert {name for name in shared if own[name] is not shared[name]} <= {"_titles", "_main"}
    for other in TitleNames:
        assert [view.named(other).catalogue.title(one) for one in NAMED] == TITLES[other]


def test_an_index_that_a_view_is_the_first_to_need_has_all_names(told: ModelBundle) -> None:
    titles = title_index(told.named(TitleNames.JAPANESE))

    for text in ("Spirited Away", "千と千尋", "sen to"):
        assert [one.anime_id for one in titles.search(text, 1)] == [1]
        assert titles.search(text, 1)[0].title == "Sen to"


def test_views_do_not_keep_a_replaced_model(told: ModelBundle) -> None:
    bundle = dataclasses.replace(told)
    title_index(bundle.named(TitleNames.ENGLISH))
    filter_choices(bundle.named(TitleNames.JAPANESE))
    left = weakref.ref(bundle), weakref.ref(bundle.facts), weakref.ref(bundle.named(TitleNames.ENGLISH))
    gc.disable()
    try:
        del bundle
        assert [one() for one in left] == [None] * 3
    finally:
        gc.enable()


def test_recommendations_reasons_and_notes_have_the_same_names(told: ModelBundle) -> None:
    preferences = Preferences(n=100, genres=("Told",))
    anime = [one.anime_id for one in recommend(UserList.of([Rating(1, 9)]), told, preferences).recommendations]
    assert anime
    for names in TitleNames:
        catalogue = told.named(names).catalogue
        found = recommend(UserList.of([Rating(1, 9), Rating(99_999, 9)]), told.named(names), preferences)
        assert [one.title for one in found.recommendations] == [catalogue.title(one) for one in anime]
        reasons: list[Reason] = [why for one in found.recommendations for why in one.reasons]
        assert {why.title for why in reasons} == {TITLES[names][0]}


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (None, "romaji"),
        ("", "romaji"),
        ("*", "romaji"),
        ("de, fr;q=0.5", "romaji"),
        ("en", "english"),
        ("EN-us,en;q=0.9", "english"),
        ("de,en-GB;q=0.3", "english"),
        ("ja,en-US;q=0.9,en;q=0.8", "japanese"),
        ("en;q=0.1, ja-JP;q=0.2", "japanese"),
        ("ja;q=0, en;q=0.1", "english"),
        ("jam, enm", "romaji"),
        (";q=x,,en;q=", "english"),
    ],
)
def test_the_browser_s_languages_decide(header: str | None, names: str) -> None:
    assert by_language(parse_accept_header(header, LanguageAccept)) == names


@pytest.mark.parametrize(
    ("title", "markup"),
    [
        ("Monster <b>", "<bdi>Monster &lt;b&gt;</bdi>"),
        ("千と千尋", '<bdi lang="ja">千と千尋</bdi>'),
        ("けいおん!", '<bdi lang="ja">けいおん!</bdi>'),
        ("ドラゴン <Z>", '<bdi lang="ja">ドラゴン &lt;Z&gt;</bdi>'),
        ("שלום", "<bdi>שלום</bdi>"),
    ],
)
def test_a_title_in_japanese_says_so(title: str, markup: str) -> None:
    assert isolated(title) == markup
