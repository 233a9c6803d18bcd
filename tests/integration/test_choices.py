"""What a visitor can choose about a list, from the form to the use case and back."""

import html
import re
from io import BytesIO
from urllib.parse import parse_qsl, urlencode, urlsplit

import click
import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from hakken import errors
from hakken.cli.options import preference_options, preferences_of
from hakken.lists import mal_export
from hakken.lists.encoded_list import packed
from hakken.ratings import (
    CHOICES,
    FranchiseRule,
    Order,
    Planned,
    Preferences,
    Rating,
    Reason,
    Recommendation,
    Recommendations,
    Site,
    Status,
    UserList,
    Username,
)
from hakken.web.forms import preferences_to_fields, read_preferences
from hakken.web.list_request import SORTS
from hakken.web.pages import COLUMNS
from tests.fake_services import EVIL, SAMPLE, FakeServices, Fields, buttons, press, words

EVERYTHING = Preferences(
    n=25,
    order=Order.PREDICTED_RATING,
    popularity=-0.35,
    variety=0.65,
    types=("TV", "Movie"),
    genres=("Action",),
    without_genres=("Hentai", "Space"),
    year_from=1995,
    year_to=2005,
    season="1998-spring",
    studios=("sunrise", "a-1 pictures"),
    series=(5, 1),
    min_members=5000,
    adult=True,
    rated_only=True,
    planned=Planned.ONLY,
    franchise=FranchiseRule.ALL,
    ignored=(1, 199),
    hidden=(7,),
    like=(666,),
    seen=("199-8",),
)
CHOSEN = [
    (urlencode(preferences_to_fields(EVERYTHING), doseq=True), EVERYTHING),
    *((f"n={text}", Preferences(n=n)) for text, n in (("", 10), ("%20", 10), ("100", 100), ("007", 7), ("+5+", 5))),
    ("popularity=.5", Preferences(popularity=0.5)),
    ("type=TV&type=Movie&type=TV&type=", Preferences(types=("TV", "Movie"))),
    ("genre=Action&genre=+Space+", Preferences(genres=("Action", "Space"))),
    ("rated_only=0&adult=0", Preferences()),
    *((f"planned={one.value}", Preferences(planned=one)) for one in Planned),
    *((f"franchise={rule.value}", Preferences(franchise=rule)) for rule in FranchiseRule),
    ("ignore=1&ignore=199&ignore=1", Preferences(ignored=(1, 199))),
    ("seen=1-9&seen=199-0&seen=1-7", Preferences(seen=("1-7", "199-0"))),
    ("&".join(f"{choice.name}=+&{choice.name}=" for choice in CHOICES.values()), Preferences()),
]
TYPES = ["TV", "Movie", "OVA"]
GENRES = ["&lt;b&gt;", "Action", "Hentai", "Space"]
LIST = packed(UserList.of([Rating(1, 9), Rating(7, 0, Status.PLAN_TO_WATCH)]))
RATED, PLANNED = Reason(1, "Rated", 9, 1.0), Reason(7, "Planned", 8, 1.0, planned=True)
REASONS = (Reason(199, "Sen <i>", 9, 4.5), Reason(666, EVIL.title, 0, 2.0), Reason(7, "×××Bare", 3, -0.5))


def query(address: str) -> MultiDict[str, str]:
    pairs = parse_qsl(urlsplit(html.unescape(address)).query, keep_blank_values=True, strict_parsing=True)
    return MultiDict(pairs)


@pytest.mark.parametrize(("text", "preferences"), CHOSEN)
def test_each_choice_reaches_the_use_case(
    client: FlaskClient, fakes: FakeServices, text: str, preferences: Preferences
) -> None:
    fields = query(f"?{text}")

    assert client.get(f"/recommendations?username=spike&{text}", follow_redirects=True).status_code == 200
    data = {**fields.to_dict(flat=False), "export": (BytesIO(SAMPLE.read_bytes()), "animelist.xml")}
    assert client.post("/recommendations", data=data, follow_redirects=True).status_code == 200

    assert [chosen for _, chosen in fakes.asked] == [preferences] * 2


def test_every_preference_can_be_written_and_read_again() -> None:
    assert set(CHOICES) == set(Preferences.__struct_fields__)
    unchanged = [name for name in CHOICES if getattr(EVERYTHING, name) == getattr(Preferences(), name)]
    assert not unchanged, "this test is to change all of them"
    assert read_preferences(MultiDict(preferences_to_fields(EVERYTHING))) == EVERYTHING
    assert preferences_to_fields(Preferences()) == {}
    for part in (0.0, 1e-05, 0.35, 1.0):
        given = Preferences(popularity=-part, variety=part)
        assert read_preferences(MultiDict(preferences_to_fields(given))) == given


def test_every_preference_is_an_option_of_the_commands() -> None:
    found: list[Preferences] = []
    command = click.command()(preference_options(lambda **chosen: found.append(preferences_of(chosen))))
    arguments: list[str] = []
    for field, choice in CHOICES.items():
        value = getattr(EVERYTHING, field)
        name = "-n" if field == "n" else f"--{choice.name.replace('_', '-')}"
        for one in value if choice.most else (value,):
            arguments += [name] if one is True else [name, str(one)]

    for given in ([], arguments, ["--no-franchise", "--hide-planned"]):
        command.main(given, standalone_mode=False)
    assert found == [Preferences(), EVERYTHING, Preferences(franchise=FranchiseRule.ALL, planned=Planned.HIDE)]


IDS = "must be a whole number from 1 to 2147483647."
BAD_CHOICES = [
    *(
        (f"n={n}", "The number of recommendations must be a whole number from 1 to 100.")
        for n in ("0", "-1", "101", "1.5", "1e1", "0x5", "1_0", "%2B5", "\N{ARABIC-INDIC DIGIT FIVE}", "9" * 5000)
    ),
    *(
        (f"popularity={text}", "Niche or popular must be a number from -1 to 1.")
        for text in ("1.01", "-2", "nan", "0_1", "1e-1")
    ),
    *((f"variety={text}", "Similar or varied must be a number from 0 to 1.") for text in ("1.01", "-0.1", "nan")),
    *((text, "A list can be ") for text in ("view=list", "format=pdf", "format=csv&format=pdf")),
    *((f"sort={text}", "A table can be sorted by ") for text in ("score", "--rank", "-")),
    *(
        (f"seen={text}", "A title that was seen must be given as its id and a score from 0 to 10, such as 1-9.")
        for text in ("1", "1-", "1-11", "0-5", "1-5-5", "x-5", "1--5", "2147483648-5", "1-\N{ARABIC-INDIC DIGIT FIVE}")
    ),
    ("order=best", "The order must be one of match, predicted_rating."),
    ("franchise=old", "Series must be one of "),
    ("planned=on", "Planned titles must be one of show, hide, only."),
    ("year_from=1899", "The first year must be a whole number from 1900 to 2200."),
    ("year_to=soon", "The last year must be a whole number from 1900 to 2200."),
    ("year_from=2005&year_to=1995", "The first year must not be after the last."),
    *(
        (f"season={text}", "The season must be a year and winter, spring, summer or fall, such as 2024-spring.")
        for text in ("2024", "spring", "Spring 2024", "2024-Spring", "1899-fall", "2200-winter", "2024-spring%0Ax")
    ),
    ("series=x", f"The id of a title of a series {IDS}"),
    ("min_members=-1", "The minimum number of members must be a whole number from 0 to 1000000000."),
    ("adult=yes", "Adult titles must be 1 for yes or 0 for no."),
    ("rated_only=true", "Only rated titles must be 1 for yes or 0 for no."),
    ("ignore=2147483648", f"The id of a title to leave out {IDS}"),
    ("hide=0", f"The id of a title to hide {IDS}"),
    ("like=x", f"The id of a title to find more like {IDS}"),
    *(
        (f"undo={undo}", "What to undo must be given as a choice and the id of a title")
        for undo in ("ignore", "ignore-", "n-5", "ignore-x", "-1", "ignored-1", "seen-1-9")
    ),
    *(
        ("&".join(f"{name}={one}" for one in range(1, most + 2)), f"At most {most} values can be given for {name}.")
        for name, most in (("like", 10), ("type", 50), ("genre", 50), ("without_genre", 50), ("ignore", 100))
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_CHOICES)
def test_a_choice_that_can_not_be(client: FlaskClient, fakes: FakeServices, text: str, sentence: str) -> None:
    data = {**query(f"?{text}").to_dict(flat=False), "export": (BytesIO(SAMPLE.read_bytes()), "animelist.xml")}
    for page in (client.get(f"/recommendations?sample=1&{text}"), client.post("/recommendations", data=data)):
        assert page.status_code == 400
        assert sentence in words(page)
    assert not fakes.asked


def test_everything_chosen_survives_in_the_form_after_an_upload_and_a_failure(
    client: FlaskClient, fakes: FakeServices
) -> None:
    fields = {name: [*texts] for name, texts in preferences_to_fields(EVERYTHING).items()}
    named = client.get("/recommendations", query_string={"username": "spike", **fields})
    data = {**fields, "export": (BytesIO(SAMPLE.read_bytes()), "animelist.xml")}
    uploaded = client.post("/recommendations", data=data, follow_redirects=True)
    fakes.failure = errors.PrivateList("This list is private.")
    failed = client.get("/recommendations", query_string={"username": "spike", **fields})

    again = 'class="again"'
    for page, marker in ((named, again), (uploaded, again), (failed, "by-upload"), (failed, "by-username")):
        assert read_preferences(Fields(page, marker).sent) == EVERYTHING
    assert Fields(named, again).sent["username"] == "spike"
    assert '<details class="choices" open>' in named.text


def test_nothing_chosen_leaves_the_panel_closed_and_the_start_page_has_none(client: FlaskClient) -> None:
    for path in (
        "/recommendations?sample=1",
        f"/recommendations?sample=1&n=5&ignore=1&hide=7&order=match&popularity=0&variety={Preferences().variety}",
    ):
        page = client.get(path, follow_redirects=True)
        assert '<details class="choices">' in page.text
        assert '<details class="choices" open>' not in page.text
    page = client.get("/")
    assert '<details class="choices"' not in page.text
    assert set(Fields(page, "by-username").sent) == {"username", "source", "n"}
    assert read_preferences(Fields(page, "by-username").sent) == Preferences()


@pytest.mark.parametrize(
    ("path", "marker", "others"),
    [
        ("/recommendations?sample=1&", 'class="again"', ["by-username", "by-upload"]),
        (f"/recommendations?list={LIST}&", 'class="again"', ["by-username", "by-upload"]),
        ("/recommendations?username=spike&", "by-username", ["by-upload"]),
        ("", "by-upload", ["by-username"]),
    ],
    ids=["sample", "list", "username", "upload"],
)
def test_what_can_not_be_is_shown_again_where_it_was_chosen(
    client: FlaskClient, path: str, marker: str, others: list[str]
) -> None:
    text = "year_from=2005&year_to=1995&genre=Action"
    page = client.get(path + text) if path else client.post("/recommendations", data=query(f"?{text}"))

    assert page.status_code == 400
    sent = Fields(page, marker).sent
    assert (sent["year_from"], sent["year_to"], sent.getlist("genre")) == ("2005", "1995", ["Action"])
    assert (sent.get("sample"), sent.get("list")) == ("1" if "sample" in path else None, LIST if LIST in path else None)
    for other in others:
        assert read_preferences(Fields(page, other).sent) == Preferences(), "a hidden mistake could not be mended"


def test_what_is_offered_is_what_the_catalogue_has(client: FlaskClient) -> None:
    page = client.get("/recommendations?sample=1&without_genre=hentai")

    for name, values in (("type", TYPES), ("genre", GENRES), ("without_genre", GENRES)):
        assert re.findall(rf'name="{name}" type="checkbox" value="([^"]*)"', page.text) == values
    for choice in (*Order, *FranchiseRule, *Planned):
        assert f'<option value="{choice.value}"' in page.text
    # The stylesheet shows genres that only titles for adults have with those, or when they are chosen.
    ticks = re.findall(r'<span class="tick([^"]*)">\s*<input [^>]*value="([^"]*)"( checked)?', page.text)
    assert [one for one in ticks if one[1] == "Hentai"] == [
        (" for-adults", "Hentai", ""),
        (" for-adults", "Hentai", " checked"),
    ]
    assert {kind for kind, name, _ in ticks if name in {"Action", "Space"}} == {""}


def test_what_is_said_of_one_title_leaves_everything_else_as_it_is(client: FlaskClient, fakes: FakeServices) -> None:
    one = Recommendation(5, "MyAnimeList #5", 9.0, 9.0, 2345, 20, REASONS)
    fakes.answer = Recommendations((one,), continues=(one,))
    before = msgspec.structs.replace(EVERYTHING, order=Order.MATCH)
    page = client.get(
        "/recommendations", query_string={"username": "spike", "source": "anilist", **preferences_to_fields(before)}
    )

    for label, changed in (
        ("leave out: ×××Bare", {"ignored": (1, 199, 7)}),
        ("leave out: Sen <i>", {}),
        ("Not for me: MyAnimeList #5", {"hidden": (7, 5)}),
        ("More like this: MyAnimeList #5", {"like": (666, 5)}),
    ):
        assert len(buttons(page, label)) == 2, "in the list and in what continues"
        assert press(client, page, label).status_code == 200
        assert fakes.asked[-1] == (Username("spike", Site.ANILIST), msgspec.structs.replace(before, **changed))


def test_every_score_of_a_title_is_one_press(client: FlaskClient, fakes: FakeServices) -> None:
    fakes.answer = Recommendations((Recommendation(5, "MyAnimeList #5", 9.0, 9.0, 2345, 20, REASONS),))
    page = client.get("/recommendations?sample=1&seen=199-8")
    scores = re.findall(r'<button form="state" name="seen" value="5-(\d+)">(.*?)</button>', page.text)
    assert scores == [*((str(one), str(one)) for one in range(10, 0, -1)), ("0", "No score")]
    fields = Fields(page, 'id="state"').sent
    fields.add("seen", "5-0")
    assert client.get("/recommendations", query_string=fields).status_code == 200
    assert fakes.asked[-1][1] == Preferences(seen=("199-8", "5-0"))


def test_what_was_said_is_named_and_can_be_taken_back(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?sample=1&n=5&ignore=1&ignore=54321&hide=666&like=199")

    assert "Left out of your list: Cowboy Bebop Undo" in words(page)
    assert "Left out of your list: MyAnimeList #54321 Undo" in words(page)
    assert "Hidden: <script>" in words(page)
    assert "More like: Sen to Chihiro no Kamikakushi Undo" in words(page)
    for label, left in (
        ("Undo: Left out of your list Cowboy Bebop", Preferences(n=5, ignored=(54321,), hidden=(666,), like=(199,))),
        (f"Undo: Hidden {EVIL.title}", Preferences(n=5, ignored=(1, 54321), like=(199,))),
        ("Undo: More like Sen to Chihiro no Kamikakushi", Preferences(n=5, ignored=(1, 54321), hidden=(666,))),
    ):
        undone = press(client, page, label)
        assert undone.status_code == 200
        assert fakes.asked[-1][1] == left
        assert "undo" not in undone.request.url, "an address to keep says what is, not what was"


def test_what_was_seen_can_be_taken_along_to_myanimelist(client: FlaskClient, fakes: FakeServices) -> None:
    page = client.get("/recommendations?sample=1&seen=1-9&seen=666-0")
    assert "Seen: Cowboy Bebop 9 Undo" in words(page)
    assert "Seen: <script>" in words(page)
    fields = Fields(page, 'id="state"').sent
    asked = len(fakes.asked)
    file = client.get("/recommendations", query_string=[*fields.items(multi=True), ("format", "xml")])
    assert file.mimetype == "application/xml"
    assert mal_export.parse([file.data]) == UserList.of([Rating(1, 9), Rating(666, 0)])
    assert len(fakes.asked) == asked, "no list is made, and no site asked, for what the address holds"
    assert "Seen titles" not in words(client.get("/recommendations?sample=1"))
    assert press(client, page, "Undo: Seen Cowboy Bebop").status_code == 200
    assert fakes.asked[-1][1] == Preferences(seen=("666-0",))


def test_the_table_is_sorted_by_any_column_either_way(client: FlaskClient, fakes: FakeServices) -> None:
    made = (
        Recommendation(199, "Sen", 8.0, 0.3, 500, 30, (Reason(1, "B", 9, 0.1),)),
        Recommendation(5, "Five", None, 0.2, 0),
        Recommendation(1, "Cowboy Bebop", 9.0, 0.1, 50, 2, (Reason(1, "a", 9, 0.1),)),
    )
    fakes.answer = Recommendations(made)
    expected = {
        "rank": (199, 5, 1),
        "-rank": (1, 5, 199),
        "title": (1, 5, 199),
        "match": (1, 5, 199),
        "predicted": (199, 1, 5),
        "-predicted": (1, 199, 5),
        "sure": (199, 1, 5),
        "-sure": (1, 199, 5),
        "-year": (199, 1, 5),
        "episodes": (199, 1, 5),
        "-type": (1, 199, 5),
        "because": (1, 199, 5),
    }
    assert tuple(COLUMNS) == SORTS, "each column that can be asked for says what it is sorted by"
    page = client.get("/recommendations?sample=1&view=table")
    for sort, order in expected.items():
        fields = {"sample": 1, "view": "table", "sort": sort}
        found = client.get("/recommendations", query_string=fields, follow_redirects=True).text
        assert [int(one) for one in re.findall(r'<th scope="row">\s*<a href="/anime/(\d+)', found)] == [*order], sort
        ways = re.findall(r'aria-sort="(\w+)"', found)
        assert ways == ["descending" if sort.startswith("-") else "ascending"]
    pressed = re.findall(r'name="sort" value="(-?(?:rank|year))"', page.text)
    assert pressed == ["-rank", "year"], "what it is sorted by is turned round"
    assert client.get("/recommendations?sample=1&sort=year").text.count("aria-sort") == 0, "cards keep their order"


@pytest.mark.parametrize(
    ("name", "most", "button"),
    [
        ("seen", 100, "Seen it: "),
        ("ignore", 100, "leave out: "),
        ("hide", 100, "Not for me: "),
        ("like", 10, "More like this: "),
    ],
)
def test_no_more_can_be_said_of_titles_than_is_read(
    client: FlaskClient, fakes: FakeServices, name: str, most: int, button: str
) -> None:
    fakes.answer = Recommendations((Recommendation(1, "Cowboy Bebop", 9.0, 9.0, 2345, 20, REASONS),))
    said = [f"{name}={one}{'-5' if name == 'seen' else ''}" for one in range(1000, 1000 + most)]

    assert f'aria-label="{button}' in client.get(f"/recommendations?sample=1&{'&'.join(said[1:])}").text
    full = client.get(f"/recommendations?sample=1&{'&'.join(said)}")
    assert full.status_code == 200
    assert f'aria-label="{button}' not in full.text
    # The same said twice is said once.
    assert client.get(f"/recommendations?sample=1&{'&'.join([*said, said[0]])}").status_code == 200


@pytest.mark.parametrize(
    ("query", "reasons", "sentences"),
    [
        ("", REASONS, ["Sen <i> 9 +50% leave out", "Against it ×××Bare 3 −6% leave out"]),
        (
            "order=predicted_rating",
            REASONS,
            [
                "Sen <i> 9 +4.50 leave out",
                "Against it ×××Bare 3 −0.50 leave out",
                "a number with a plus or minus sign shows how much one of your titles changes the predicted rating.",
            ],
        ),
        ("", (RATED,), ["Because you rated Rated 9 +11%"]),
        # What is only planned is a reason and no rating.
        ("", (RATED, PLANNED), ["Because of Rated 9 +11% leave out Planned planned +11%"]),
        ("view=table", (RATED, PLANNED), ["Planned planned +11%"]),
    ],
)
def test_reasons_are_parts_of_the_match_or_of_the_predicted_rating(
    client: FlaskClient, fakes: FakeServices, query: str, reasons: tuple[Reason, ...], sentences: list[str]
) -> None:
    fakes.answer = Recommendations((Recommendation(5, "Five", 9.0, 9.0, 2345, 20, reasons),))
    page = words(client.get(f"/recommendations?sample=1&{query}"))
    assert [sentence for sentence in sentences if sentence not in page] == []


def test_a_list_says_what_was_chosen_for_it(client: FlaskClient) -> None:
    for text, sentence in (
        (
            "order=predicted_rating",
            "rate highest, among titles that enough people have rated; one title from each series",
        ),
        ("franchise=all", "best match first; including series that you have started."),
        ("planned=only", "one title from each series that is new to you; only what you plan to watch."),
        ("franchise=unrelated", "best match first; one title from each series, and nothing that looks related"),
        ("", "best match first; one title from each series that is new to you."),
    ):
        assert sentence in words(client.get(f"/recommendations?sample=1&{text}"))


def test_how_sure_a_predicted_rating_is(client: FlaskClient, fakes: FakeServices) -> None:
    figures = {
        "sure": [(100, 20)],
        "fairly sure": [(99, 20), (100, 19), (20, 5)],
        "a guess": [(19, 30), (5000, 4), (0, 0)],
    }
    for word, those in figures.items():
        for support, neighbours in those:
            fakes.answer = Recommendations((Recommendation(1, "Cowboy Bebop", 9.13, 9.0, support, neighbours),))
            assert f"9.13 predicted, {word} " in words(client.get("/recommendations?sample=1"))


def test_a_genre_that_there_is_not(embedded_client: FlaskClient) -> None:
    page = embedded_client.get("/recommendations?sample=1&genre=Dramma")

    assert page.status_code == 400
    assert 'There is no genre "Dramma"; did you mean drama?' in words(page)
