"""The use case and its command line, over real HTTP to the stand-in sites."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path

import click.testing
import msgspec
import pytest
import time_machine

from hakken.bundle import ModelBundle
from hakken.catalogue import Catalogue
from hakken.cli.output import as_table
from hakken.cli.recommend_once import command
from hakken.config import variable_names
from hakken.listing import as_csv, as_json
from hakken.model import store
from hakken.ratings import Effect, Preferences, Rating, Recommendation, Recommendations, UserList
from hakken.sites.client import HttpClient
from hakken.sites.list_sources import ListSources
from make_recommendations import make_recommendations
from tests.standin.server import Standin
from tests.standin.users import ratings_of

COMMAND = command(make_recommendations)
SAMPLE = Path(__file__).parents[2] / "static" / "sample-export.xml"


def run(*arguments: str | Path, status: int = 0, env: Mapping[str, str | None] | None = None) -> str:
    runner = click.testing.CliRunner(env=env)
    result = runner.invoke(COMMAND, [str(one) for one in arguments])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


def test_a_file_gives_a_table_with_rank_title_rating_type_genres_and_link() -> None:
    said = run("--file", SAMPLE, "-n", "5")
    head, *rows = said.splitlines()
    assert head.split() == ["#", "Title", "Match", "Predicted", "Type", "Genres", "MyAnimeList"]
    following = rows.index(next(row for row in rows if row.startswith("Continue: ")))
    assert all(row.startswith(" " * len("Continue: ")) for row in rows[following + 1 :])
    ranked = [row for row in rows[:following] if not row.startswith("     ")]  # below is what to know of its series
    assert len(ranked) == 5
    for rank, row in enumerate(ranked, start=1):
        assert row.split()[0] == str(rank)
        assert "https://myanimelist.net/anime/" in row.split()[-1]


def test_packed_and_plain_exports_give_the_same_json(tmp_path: Path) -> None:
    packed = tmp_path / "list.xml.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    plain = run("--file", SAMPLE, "--format", "json")
    assert run("--file", packed, "--format", "json") == plain
    answer = json.loads(plain)
    assert list(answer) == ["recommendations", "continue", "model", "notes"]
    assert answer["model"]["version"] == store.open_artefact("embedded").version
    assert len(answer["recommendations"]) == 10
    first = answer["recommendations"][0]
    assert {"anime_id", "title", "predicted_rating", "match", "support", "type", "genres", "year", "url"} <= set(first)


@pytest.mark.parametrize("site", ["mal", "anilist"])
def test_a_username_is_looked_up_on_the_site_that_is_named(standin: Standin, site: str) -> None:
    settings = standin.settings()
    environment = {variable: str(getattr(settings, field)) for field, variable in variable_names().items()}
    said = run("everything", "--source", site, "--format", "json", "-n", "100", env=environment)
    assert standin.asked() == [site]
    found = {one["anime_id"] for one in json.loads(said)["recommendations"]}
    assert len(found) == 100
    assert not found & {rating.anime_id for rating in ratings_of("everything") if rating.seen}
    assert "MyAnimeList has no user" in run("nobody", status=1, env=environment)


def test_a_username_that_nobody_can_be_asked_for_is_refused_with_what_works_and_what_mends_it() -> None:
    said = run("someone", status=1, env={"MAL_CLIENT_ID": None, "HAKKEN_LIST_SOURCES": "off"})
    assert said.startswith("Error: MyAnimeList usernames can't be looked up: HAKKEN_LIST_SOURCES is off.")
    assert all(word in said for word in ("(--file)", "(--source anilist)"))
    named = run("someone", status=1, env={"MAL_CLIENT_ID": None, "HAKKEN_LIST_SOURCES": "mal"})
    assert "has the source mal, which needs MAL_CLIENT_ID" in named


def test_notes_go_to_standard_error_where_csv_has_no_place_for_them(tmp_path: Path) -> None:
    (tmp_path / "list.xml").write_text("<myanimelist></myanimelist>")
    result = click.testing.CliRunner().invoke(COMMAND, ["--file", str(tmp_path / "list.xml"), "--format", "csv"])
    assert "The list is empty" in result.stderr
    assert "The list is empty" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "Give either a USERNAME or --file"),
        (["someone", "--file", SAMPLE], 2, "Give either a USERNAME or --file"),
        *((["--file", SAMPLE, "-n", n], 2, "'-n'") for n in ("0", "-1", "101", "abc")),
        (["--file", "none.xml"], 2, "does not exist"),
        (["someone", "--source", "kitsu"], 2, "'--source'"),
        (["--file", __file__], 1, "Error: The file is not"),
        (["no such name"], 1, "2 to 20 characters"),
    ],
)
def test_what_cant_be_used_is_refused_in_a_sentence(arguments: list[str | Path], status: int, told: str) -> None:
    assert told in run(*arguments, status=status)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("HAKKEN_MODEL", "/nowhere", "Error: There is no model at"), ("HAKKEN_MODLE", "x", "HAKKEN_MODLE is unknown")],
)
def test_a_wrong_setting_is_refused_in_a_sentence(name: str, value: str, told: str) -> None:
    assert told in run("--file", SAMPLE, status=1, env={name: value})


RESULT = Recommendations(
    (
        Recommendation(1, "=cmd|' /C calc'!A0", None, 0.5, 0, by_attributes=True),
        Recommendation(2, '[red]Bra,cket[/red] :smile: "quoted"', 8.0, 0.4, 900, series_note="Same universe as 0079."),
    ),
    ("A note.",),
    continues=(
        Recommendation(3, "Sequel", 8.0, 0.4, 9, part="Part 2 of 3", series_note="Announced for May 2027."),
        Recommendation(4, "Other", None, 0.3, 2),
    ),
)


def test_a_table_holds_titles_as_text_a_dash_for_no_rating_and_what_to_know_of_a_series() -> None:
    _, *lines = as_table(RESULT, Catalogue([]), by_match=True).splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["1", "2"]
    assert [line.split()[-3:-1] for line in lines[:2]] == [["100", "-"], ["80", "8.00"]]
    assert [one.title in line for one, line in zip(RESULT.recommendations, lines, strict=False)] == [True, True]
    rated = as_table(RESULT, Catalogue([]), by_match=False)
    assert "Match" not in rated
    assert [line.split()[-3:-1] for line in rated.splitlines()[2:3]] == [['"quoted"', "8.00"]]
    assert lines[2].split() == ["Same", "universe", "as", "0079."]
    assert lines[3:] == [
        "Continue: Sequel (Part 2 of 3. Announced for May 2027)",
        "          Other",
        f"Hardly rated yet, so judged by genres, studio and the like: {RESULT.recommendations[0].title}",
        "A note.",
    ]


def test_csv_escapes_what_a_spreadsheet_would_run_and_has_nothing_for_no_rating() -> None:
    for beginning in "=+-@\t\r":
        title = f"{beginning}cmd|' /C calc'!A0"
        result = msgspec.structs.replace(RESULT.recommendations[0], title=title)
        [row] = csv.DictReader(io.StringIO(as_csv(Recommendations((result,)), Catalogue([]))))
        assert row["title"] == f"'{title}"
    rows = list(csv.DictReader(io.StringIO(as_csv(RESULT, Catalogue([])))))
    wanted = ("section", "rank", "predicted_rating", "by_attributes", "part", "series_note")
    assert [tuple(row[name] for name in wanted) for row in rows] == [
        ("recommendations", "1", "", "True", "", ""),
        ("recommendations", "2", "8.0", "False", "", "Same universe as 0079."),
        ("continue", "1", "8.0", "False", "Part 2 of 3", "Announced for May 2027."),
        ("continue", "2", "", "False", "", ""),
    ]


def test_csv_has_what_else_moved_a_match_in_words() -> None:
    effects = (Effect("time", 1.25, "newer than most of your list"), Effect("series", 0.5, "an earlier part"))
    moved = msgspec.structs.replace(RESULT.recommendations[1], effects=effects)
    [row] = csv.DictReader(io.StringIO(as_csv(Recommendations((moved,)), Catalogue([]))))
    assert row["effects"] == "newer than most of your list ×1.25, an earlier part ×0.5"


def test_json_has_null_for_what_is_not_known(bundle: ModelBundle) -> None:
    answer = json.loads(as_json(RESULT, ModelBundle(bundle.model, Catalogue([]))))
    first, second = answer["recommendations"]
    assert (first["predicted_rating"], first["type"], first["genres"]) == (None, None, [])
    assert (second["predicted_rating"], answer["notes"]) == (8.0, ["A note."])
    sequel, other = answer["continue"]
    assert (sequel["part"], sequel["series_note"]) == ("Part 2 of 3", "Announced for May 2027.")
    assert (other["part"], other["series_note"]) == (None, None)


@time_machine.travel("2026-11-26T12:00:00Z", tick=False)
def test_what_is_still_to_come_is_told_for_today(bundle: ModelBundle) -> None:
    dates = {1: "2020", 2: "2026-11-27"}
    facts = (
        msgspec.structs.replace(one, series=1, part=one.anime_id, start_date=dates[one.anime_id])
        if one.anime_id in dates
        else one
        for one in bundle.catalogue.values()
    )
    told = ModelBundle(bundle.model, Catalogue(facts))
    found = make_recommendations(UserList.of([Rating(1, 9)]), told, ListSources(HttpClient(1.0), {}), Preferences())
    assert [one.about_series for one in found.continues] == ["Season 2 of 2. Announced for 27 November 2026."]
