"""python -m hakken catalogue: what it reads, what it keeps, where it goes on, and what a model becomes of it."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from flask import Response, request

from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import FILE_NAME, Anime, Catalogue, Related
from hakken.errors import StorageError
from hakken.model import store
from hakken.model.manifest import PopularityLine, Unwatched
from hakken.ratings import FranchiseRule, Order, Preferences, Rating, UserList
from hakken.recommend import recommend
from hakken.sites.crawl import Alone, Crawl
from hakken.sites.decoding import Page
from hakken.sites.facts import SERIES_FIELDS
from tests.models import N_ITEMS
from tests.serving import until
from tests.standin import titles
from tests.standin.faults import Faults, reply
from tests.standin.server import Standin
from tests.standin.sites import CLIENT_ID
from tests.standin.titles import TITLES, UNREADABLE
from tests.training import commands

MORE = range(1000, 1100)
"""Further anime that the site's lists hold, so that Jikan has several pages."""


@pytest.fixture(params=["mal", "jikan"])
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _pointed_at_the_standin(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAKKEN_JIKAN_URL", standin.jikan_url)
    monkeypatch.setenv("HAKKEN_MAL_URL", standin.mal_url)
    monkeypatch.setenv("HAKKEN_CACHE_DIR", standin.cache.name)
    monkeypatch.setenv("HAKKEN_SITE_RATES", "facts=1000/s")
    monkeypatch.setenv("MAL_CLIENT_ID", CLIENT_ID)
    monkeypatch.setattr("hakken.sites.mal.PAGE_SIZE", 40)
    monkeypatch.setattr(titles, "listed", [*sorted(TITLES), *MORE])
    monkeypatch.setattr("tests.standin.anime.listed", [*sorted(TITLES), *MORE])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "here" / "catalogue.jsonl.gz"


run = partial(commands.run, "catalogue")


def progress_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.progress.jsonl")


def alone(standin: Standin) -> list[int]:
    """Ids of the anime that were asked for alone, in order."""
    last = [seen.path.removesuffix("/full").rsplit("/", 1)[1] for seen in standin.requests]
    return [int(one) for one in last if one.isdigit()]


# What it reads


def test_all_anime_of_a_site_come_with_their_facts_page_by_page(out: Path, site: str, standin: Standin) -> None:
    said = run("--out", out, "--source", site, "--gaps", "0")
    found = Catalogue.read(out)
    assert set(found) == {*TITLES, *MORE}
    assert found[1].title == "Cowboy Bebop"
    assert found[1].picture == f"{standin.url}/pictures/anime/1.jpg"
    assert found[1].relations is None  # which lists don't tell
    assert found[188].adult
    assert found[16498].members == 4_000_000  # though not for everyone
    assert found[7].title == "Nothing is known"
    assert f"{len(UNREADABLE)} entries left out" in said.stdout
    assert said.stderr.splitlines() == [f"reading {site}", "filling gaps", "finding series", "writing"]
    assert list(out.parent.iterdir()) == [out]
    expected = ["0", "40", "80"] if site == "mal" else [str(page) for page in range(1, 6)]  # and no link is followed
    assert [seen.args["offset" if site == "mal" else "page"] for seen in standin.requests] == expected
    assert site != "mal" or {seen.args["nsfw"] for seen in standin.requests} == {"true"}


def test_auto_takes_mal_when_there_is_a_client_id(out: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--out", out, "--gaps", "0")
    assert set(standin.asked()) == {"mal"}
    monkeypatch.delenv("MAL_CLIENT_ID")
    standin.requests.clear()
    run("--out", out, "--gaps", "0")
    assert set(standin.asked()) == {"jikan"}


def test_gaps_are_filled_with_what_most_people_watch_first(out: Path, site: str, standin: Standin) -> None:
    run("--out", out, "--source", site, "--gaps", "3")
    assert alone(standin) == [16498, 9253, 21]
    found = Catalogue.read(out)
    assert found[16498].relations == (Related(25777, "Sequel"),)
    assert found[1].relations is None
    standin.requests.clear()
    said = run("--out", out, "--source", site, "--gaps", "2")
    assert alone(standin) == [1, 199]
    assert Catalogue.read(out)[16498].relations == (Related(25777, "Sequel"),)
    assert "left" in said.stdout


def test_relations_make_series(out: Path, site: str) -> None:
    run("--out", out, "--source", site)
    found = Catalogue.read(out)
    assert found.series_of(5) == found.series_of(4037) == 1
    assert found.series[1] == (1, 5)
    assert (found[1].kind, found[5].kind, found[4037].kind) == ("main", "film", "recap")
    assert all(one.relations is not None for one in found.values())


# What it keeps


def test_what_is_new_goes_before_what_was_known_and_the_rest_stays(out: Path, site: str) -> None:
    out.parent.mkdir()
    old = [
        Anime(anime_id=1, title="Cowboy Bebop", synonyms=("Bebop",), mean=5.0, members=7, season="Summer 1901"),
        Anime(anime_id=7, title="Robin", synopsis="Known before.", genres=("Drama",), mean=7.0),
        Anime(anime_id=900, title="Not at the site", mean=6.5, relations=(Related(1, "Sequel"),)),
    ]
    Catalogue(old).write(out)
    run("--out", out, "--source", site, "--gaps", "0")
    found = Catalogue.read(out)
    assert (found[1].mean, found[1].members, found[1].season) == (8.75, 1_900_000, "Spring 1998")
    assert found[1].synonyms == ("Bebop",)
    assert (found[7].title, found[7].synopsis, found[7].mean) == ("Nothing is known", "Known before.", 7.0)
    assert found[900].title == "Not at the site"
    assert found.series_of(900) == found.series_of(1)


def test_titles_whose_relations_were_only_inferred_are_asked_for_and_the_site_is_believed(
    out: Path, site: str, standin: Standin
) -> None:
    out.parent.mkdir()
    inferred = (Related(900, "Sequel", 0.9),)
    old = [
        Anime(anime_id=16498, title="Attack on Titan", relations=inferred, tags=("Gore",), made_from="novel"),
        Anime(anime_id=9253, title="Steins;Gate", relations=inferred),
        Anime(anime_id=21, title="ONE PIECE", relations=(Related(5, "Sequel"), *inferred)),
    ]
    Catalogue(old).write(out)
    run("--out", out, "--source", site, "--gaps", "1")
    assert alone(standin) == [16498]
    found = Catalogue.read(out)
    assert found[16498].relations == (Related(25777, "Sequel"),)
    assert found[9253].relations == inferred
    assert (found[16498].tags, found[16498].made_from) == (("Gore",), "4-koma manga")
    standin.requests.clear()
    run("--out", out, "--source", site, "--gaps", "100")
    assert 9253 in alone(standin)
    assert not {16498, 21} & set(alone(standin))


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A model from before it was stored what rows of new titles are computed from."""
    model = Path(shutil.copytree(trained, tmp_path / "models" / "model"))
    manifest = store.open_artefact(model).manifest
    (model / "manifest.json").unlink()
    store.write_manifest(model, msgspec.structs.replace(manifest, unwatched=None))
    return model


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ("", 2, "--out FILE"),
        ("--out {0}/mine", 1, "Error: The catalogue {0}/mine"),
        ("--out {0}/cut", 1, "Error: The catalogue {0}/cut"),
        ("--out {0}/mine/catalogue", 2, "--out"),
        ("--out {0}/new --source mal", 1, "need MAL_CLIENT_ID"),
        ("--model {0}", 2, "--model"),
        ("--model {0}/models/model", 1, "b_i.npy"),
    ],
)
def test_what_cant_be_done_is_said_before_a_site_is_asked(
    tmp_path: Path,
    model: Path,
    standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    status: int,
    sentence: str,
) -> None:
    (model / "b_i.npy").write_bytes(b"x")
    contents = {tmp_path / "mine": b"mine", tmp_path / "cut": b"\x1f\x8b"}
    for path, content in contents.items():
        path.write_bytes(content)
    monkeypatch.delenv("MAL_CLIENT_ID")
    assert sentence.format(tmp_path) in run(*arguments.format(tmp_path).split(), status=status).stderr
    assert {path: path.read_bytes() for path in contents} == contents
    assert standin.requests == []


# Where it goes on


@pytest.mark.parametrize("fault", [Faults.TRUNCATED_JSON, Faults.WRONG_TYPES, Faults.REDIRECT, Faults.NOT_FOUND_HTML])
def test_a_page_that_fails_ends_it_and_the_next_run_goes_on_there(
    out: Path, site: str, standin: Standin, fault: Faults
) -> None:
    standin.fail(site, fault, after=2)
    said = run("--out", out, "--source", site, "--gaps", "0", status=1)
    assert said.stderr.count("Error: ") == 1
    assert not any(secret in said.stderr for secret in (CLIENT_ID, "http://", "Traceback"))
    assert not out.exists()
    assert progress_of(out).exists()
    standin.mend(site)
    standin.requests.clear()
    run("--out", out, "--source", site, "--gaps", "0")
    first = standin.requests[0].args
    assert first["offset" if site == "mal" else "page"] == ("80" if site == "mal" else "3")
    assert set(Catalogue.read(out)) == {*TITLES, *MORE}
    assert list(out.parent.iterdir()) == [out]


def test_gaps_go_on_too_and_count_as_one_run(out: Path, site: str, standin: Standin) -> None:
    pages = 3 if site == "mal" else 5
    standin.fail(site, Faults.FORBIDDEN_HTML, after=pages + 2)
    run("--out", out, "--source", site, "--gaps", "8", status=1)
    standin.mend(site)
    standin.requests.clear()
    run("--out", out, "--source", site, "--gaps", "8")
    assert alone(standin) == [21, 1, 199, 30, 918, 849]
    assert len(standin.requests) == 6


def test_one_title_that_cant_be_had_costs_no_other(out: Path, standin: Standin) -> None:
    good = {"data": {"mal_id": 9253, "title": "x", "relations": []}}
    answers = iter([reply(404, "<html>"), reply(200, msgspec.json.encode(good))])

    def in_turn() -> Response | None:
        return next(answers)()

    standin.fail("jikan", in_turn, after=5)
    said = run("--out", out, "--source", "jikan", "--gaps", "2")
    assert "1 titles requested one by one, 1 failed" in said.stdout
    assert Catalogue.read(out)[9253].relations == ()


def test_the_titles_that_stopped_a_run_do_not_stop_the_next(out: Path, standin: Standin) -> None:
    most_watched = {16498, 9253, 21, 1, 199}

    def refuse() -> Response | None:
        return reply(404, "<html>")() if set(request.path.split("/")) & set(map(str, most_watched)) else None

    standin.fail("jikan", refuse)
    run("--out", out, "--source", "jikan", "--gaps", "7", status=1)
    assert set(alone(standin)) == most_watched
    said = run("--out", out, "--source", "jikan", "--gaps", "7")
    assert "2 titles requested one by one, 5 failed" in said.stdout


def test_another_site_does_not_go_on_with_it(out: Path, standin: Standin) -> None:
    standin.fail("jikan", Faults.FORBIDDEN_HTML, after=1)
    run("--out", out, "--source", "jikan", status=1)
    said = run("--out", out, "--source", "mal", status=1)
    assert "--source jikan" in said.stderr
    assert "--restart" in said.stderr
    run("--out", out, "--source", "mal", "--gaps", "0", "--restart")
    assert not progress_of(out).exists()


def test_a_line_that_a_killed_run_left_half_written_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    page = Page((Anime(anime_id=1, title="One"),), 1, 2, 50)
    with Crawl.at(path, "jikan") as crawl:
        crawl.add(page)
        crawl.add(Alone(1, Anime(anime_id=1, title="One", relations=())))
        crawl.add(Alone(2, None))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with Crawl.at(path, "jikan") as crawl:
            left = 0
            while left < len(lines) and sum(map(len, lines[: left + 1])) <= length:
                left += 1
            assert (crawl.skipped, len(crawl.asked), crawl.failed) == (int(left > 1), max(0, left - 2), int(left > 3))
        assert path.read_bytes() == b"".join(lines[: max(1, left)])


def test_two_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    with Crawl.at(path, "jikan") as crawl:
        crawl.add(Page((), 3, 2))
        with pytest.raises(StorageError, match="Another run"), Crawl.at(path, "jikan", restart=True):
            pytest.fail("it began")
    with Crawl.at(path, "jikan") as crawl:
        assert crawl.skipped == 3


def test_pages_without_an_end_are_cut_off(out: Path, standin: Standin) -> None:
    standin.fail("jikan", reply(200, b'{"data": [], "pagination": {"has_next_page": true}}'))
    assert "never ends" in run("--out", out, "--source", "jikan", status=1).stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_says_how_far_it_is(
    out: Path, standin: Standin, number: signal.Signals, status: int
) -> None:
    standin.fail("jikan", Faults.SLOW_HEADERS, after=2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's child would not hear it
    try:
        command = [sys.executable, "-m", "hakken", "catalogue", "--out", str(out), "--source", "jikan"]
        here = {**os.environ, "no_proxy": "127.0.0.1"}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=here)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: len(standin.requests) >= 3)
    process.send_signal(number)
    said, complaint = process.communicate(timeout=30)
    n_read = 2 * 25 - len(UNREADABLE)
    assert complaint.endswith(f"Stopped after {n_read} anime; run the same command again to continue.\n"), complaint
    assert (said, process.returncode) == ("", status)
    assert not out.exists()
    assert progress_of(out).exists()


# What becomes of a model


def test_a_models_catalogue_is_renewed_as_a_file_is_and_its_arrays_are_the_same(
    model: Path, out: Path, site: str
) -> None:
    old = store.open_artefact(model)
    before = {name: (model / name).read_bytes() for name in old.manifest.files}
    titled = Catalogue.read(model / FILE_NAME)
    run("--model", model, "--out", out, "--source", site, "--gaps", "0")
    assert out.read_bytes() == (model / FILE_NAME).read_bytes()
    new = store.open_artefact(model)
    changed = {name for name, content in before.items() if (model / name).read_bytes() != content}
    assert changed == {FILE_NAME}
    assert new.version != old.version
    assert msgspec.structs.replace(new.manifest, files={}) == msgspec.structs.replace(old.manifest, files={})
    found = Catalogue.read(model / FILE_NAME)
    assert set(found) == {*titled, *TITLES, *MORE}
    assert found[2] == msgspec.structs.replace(titled[2], **{name: getattr(found[2], name) for name in SERIES_FIELDS})
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def knowing(model: Path) -> None:
    """Give a model what rows of new titles are computed from."""
    old = store.open_artefact(model)
    assert old.manifest.unwatched is None
    names = tuple(f"genre {n}" for n in range(len(np.load(model / "attr_scale.npy"))))
    unwatched = Unwatched(names, 0.1, PopularityLine(-9.0, 0.5, -5.0), ((2020, 300), (2026, 100)))
    (model / "manifest.json").unlink()
    store.write_manifest(model, msgspec.structs.replace(old.manifest, unwatched=unwatched))


NEW = Anime(anime_id=70_000, title="New", type="TV", genres=("Drama",), year=2026, members=900)


def test_new_titles_get_a_row(model: Path) -> None:
    knowing(model)
    before = np.load(model / "anime_ids.npy").tolist()
    Catalogue([NEW, Anime(anime_id=70_001, title="Without a genre")]).write(model.parent / "new.gz")
    said = run("--model", model, "--from", model.parent / "new.gz")
    assert "rows        1 added" in said.stdout
    bundle = ModelBundle.read(store.open_artefact(model))
    assert bundle.model.arrays.anime_ids.tolist() == [*before, 70_000]
    listed = UserList.of(Rating(n, 8) for n in range(1, 20))
    found = recommend(listed, bundle, Preferences(n=100, year_from=2026))
    assert [one.anime_id for one in found.recommendations] == [70_000]
    assert "rows        0 added" in run("--model", model, "--from", model.parent / "new.gz").stdout


@pytest.mark.parametrize("lacking", ["facts", "libraries"])
def test_where_new_titles_cant_get_a_row_the_summary_says_so(
    model: Path, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking == "libraries":
        knowing(model)
        monkeypatch.setitem(sys.modules, "hakken.training.new_titles", None)
    before = np.load(model / "anime_ids.npy").tolist()
    Catalogue([NEW]).write(model.parent / "new.gz")
    said = run("--model", model, "--from", model.parent / "new.gz")
    assert "rows        none added: " in said.stdout
    assert ("train it again" in said.stdout) == (lacking == "facts")
    bundle = ModelBundle.read(store.open_artefact(model))
    assert bundle.model.arrays.anime_ids.tolist() == before
    assert bundle.catalogue[70_000].title == "New"


def test_a_model_is_renewed_whole_or_not_at_all(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.open_artefact(model)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Catalogue, "write", full)
    with pytest.raises(StorageError, match="No space left"):
        put_catalogue(model, Catalogue([]))
    assert store.open_artefact(model) == before
    assert list(model.parent.iterdir()) == [model]


def test_where_a_disk_knows_no_second_names_files_are_copied(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    before = (model / "b_i.npy").read_bytes()
    put_catalogue(model, Catalogue([Anime(anime_id=1, title="One")]))
    assert (model / "b_i.npy").read_bytes() == before
    assert list(ModelBundle.read(store.open_artefact(model)).catalogue) == [1]


def test_titles_of_a_catalogue_made_before_are_known_and_never_recommended_without_ratings(
    model: Path, bundle: ModelBundle, standin: Standin
) -> None:
    known_ids = set(bundle.model.arrays.anime_ids.tolist())
    new = [Anime(anime_id=50_000 + n, title=f"Stranger {n}", type="TV", members=10**6, mean=9.9) for n in range(50)]
    # Some of them belong to what the model knows, before and after it.
    new += [Anime(anime_id=60_000 + n, title=f"Related {n}", relations=(Related(n + 1, "Sequel"),)) for n in range(20)]
    path = model.parent / "more.gz"
    Catalogue([*new, Anime(anime_id=2, title="Renamed")]).write(path)
    run("--model", model, "--from", path)
    assert standin.requests == []
    renewed = ModelBundle.read(store.open_artefact(model))
    assert {one.anime_id for one in new} | known_ids <= set(renewed.catalogue) | set(range(N_ITEMS - 3, N_ITEMS + 1))
    assert renewed.catalogue[2].title == "Renamed"
    listed = UserList.of([Rating(n, 8) for n in range(1, 30)] + [Rating(50_000, 10), Rating(60_005, 9)])
    lists = (listed, UserList.of([Rating(50_001, 10)]), UserList.of([]))
    for order, rule, some in itertools.product(Order, FranchiseRule, lists):
        made = recommend(some, renewed, Preferences(n=100, order=order, franchise=rule, adult=True))
        got = [one.anime_id for one in (*made.recommendations, *made.continues)]
        assert got or some is listed
        assert set(got) <= known_ids
    everything = recommend(UserList.of([]), renewed, Preferences(n=100, franchise=FranchiseRule.ALL))
    rated = [one.predicted_rating for one in everything.recommendations if one.predicted_rating is not None]
    assert rated
    assert np.isfinite(rated).all()
