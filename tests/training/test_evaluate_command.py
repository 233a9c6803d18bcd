"""The command `evaluate`, its page, its plots, and the page that is committed."""

import itertools
import re
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.catalogue import Catalogue
from hakken.cli.evaluate import ABLATIONS, METHODS
from hakken.evaluation import comparison, plots, report
from hakken.evaluation.comparison import all_methods
from hakken.evaluation.metrics import MEASURES
from hakken.evaluation.report import BY_GROUP, Evaluation, markdown, markdown_by_group
from hakken.model import Parameters
from tests.models import ADULT_ID, N_ITEMS
from tests.training.commands import run

DOCS = Path(__file__).parents[2] / "docs"
TABLES = ["groups.csv", "table.csv"]
PLOTS = ["coverage.svg", "list-length.svg", "ndcg-lift.svg", "popularity.svg"]
QUICK = ("--only", "hakken", "--only", "popularity", "--resamples", "20")


@pytest.fixture(scope="module")
def anime_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of anime, that is one of years and of keys too."""
    rows = [
        f"{n},Anime {n},{'Hentai' if n == ADULT_ID else 'Drama'},TV,12,7.5,{n},{1950 + n},series {n // 4}"
        for n in range(1, N_ITEMS + 1)
    ]
    path = tmp_path_factory.mktemp("anime") / "anime.csv"
    path.write_text("\n".join(["anime_id,name,genre,type,episodes,rating,members,year,key", *rows]))
    return path


@pytest.fixture(scope="module")
def evaluation(small_ratings_csv: Path, anime_csv: Path) -> Evaluation:
    sources = comparison.Sources(small_ratings_csv, anime_csv, keys=anime_csv)
    names = ["hakken", "popularity", "svd"]
    return comparison.evaluate(sources, ["hakken", "s1"], Parameters(min_raters=1), names, n_resamples=50)


evaluate = partial(run, "evaluate")


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_all_methods_are_compared_and_the_page_holds_the_table(
    small_ratings_csv: Path, anime_csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "report"
    facts = ("--anime", anime_csv, "--titles", anime_csv, "--keys", anime_csv)
    result = evaluate("--ratings", small_ratings_csv, *facts, "--resamples", "20", "--report", out)
    written = files_in(out)
    assert sorted(written) == sorted(["evaluation.md", *(f"evaluation/{name}" for name in (*TABLES, *PLOTS))])
    table = pd.read_csv(out / "evaluation" / "table.csv")
    assert table["method"].tolist() == list(METHODS)
    assert not table[["ndcg", "ndcg_low", "ndcg_high", "recall", "discovery", "items", "alike"]].isna().any().any()
    own = {"hakken", "first-stage"}
    for name in ("continues", "next_found"):
        assert set(table["method"][table[name].notna()]) == own  # no other has a default list
    predicting = own | {"item-mean", "baseline", "original", "knn-baseline", "svd", "svdpp"}
    for name in ("rmse", "disliked"):
        assert set(table["method"][table[name].notna()]) == predicting
    groups = pd.read_csv(out / "evaluation" / "groups.csv")
    assert set(groups["method"]) == own
    assert markdown_by_group(groups) in result.stdout
    assert markdown(table) in result.stdout
    page = written["evaluation.md"].decode()
    assert markdown(table) in page
    assert markdown_by_group(groups) in page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
        assert target in written, target
    assert "Series are identified by the keys of anime.csv." in page
    assert "$" not in page
    assert "asking Surprise SVD++" in result.stderr


def test_methods_salts_and_resamples_can_be_chosen(small_ratings_csv: Path, tmp_path: Path) -> None:
    salts = ("--salt", "s1", "--salt", "s2", "--salt", "s1")
    methods = ("--only", "als", "--without", "popularity", "--once", "als")
    (tmp_path / "people.csv").write_text("user_id,group\n" + "".join(f"{n},of {n % 2}\n" for n in range(60)))
    people = ("--people", tmp_path / "people.csv")
    result = evaluate("--ratings", small_ratings_csv, *QUICK, *salts, *methods, *people, "--report", tmp_path)
    table = pd.read_csv(tmp_path / "evaluation" / "table.csv")
    assert table["method"].tolist() == ["hakken", "als"]
    assert table["salts"].tolist() == [2, 1]
    assert table["discovery"].isna().all()
    assert "discovery" not in result.stdout
    page = (tmp_path / "evaluation.md").read_text()
    assert "salts `s1`, `s2`; figures are means over them" in page
    assert "20 resamples" in page
    assert "nothing: discovery was not measured" in page
    assert result.stderr.count("s2: asking Hakken") == 1
    assert "| ALS ‡ " in page
    groups = pd.read_csv(tmp_path / "evaluation" / "groups.csv").set_index("group")["people"]
    assert 0 < groups["of 0"] + groups["of 1"] < table["people"][0]
    assert "| Hakken |" in page


def test_ablations_are_tried_where_they_are_asked_for(small_ratings_csv: Path, tmp_path: Path) -> None:
    methods = ("--only", "popularity", "--ablation", "--resamples", "0")
    result = evaluate("--ratings", small_ratings_csv, *methods, "--report", tmp_path)
    table = pd.read_csv(tmp_path / "evaluation" / "table.csv")
    assert table["method"].tolist() == ["popularity", *ABLATIONS]
    assert result.stderr.count("similarities") == 1  # one model for all of them
    assert "neither Hakken nor its first stage was measured" in (tmp_path / "evaluation.md").read_text()


def test_parameters_come_from_a_file_and_without_keys_the_catalogues_own_series_judge(
    small_ratings_csv: Path, anime_csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "params.json").write_text('{"reg_u": 500, "reg_i": 500, "prior": 100, "min_raters": 1}')
    tables = []
    for number, more in enumerate(((), ("--params", tmp_path / "params.json"))):
        out = tmp_path / f"{number}"
        quiet = ("--only", "hakken", "--resamples", "0", "--quiet", "--anime", anime_csv, *more)
        assert evaluate("--ratings", small_ratings_csv, *quiet, "--report", out).output == ""
        tables.append(pd.read_csv(out / "evaluation" / "table.csv"))
    assert tables[0]["rmse"][0] < tables[1]["rmse"][0]
    assert tables[0]["rmse_low"].isna().all()
    assert tables[0]["discovery"].notna().all()
    assert "Series are identified by the catalogue's own series" in (out / "evaluation.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--salt", "x" * 40, "--only", "nobody"), 2, "'nobody' is not one of 'hakken'"),
        (("--only", "svd", "--without", "svd"), 2, "leave no method to try"),
        (("--keys", __file__), 2, "--keys and --hide-years need --anime"),
        (("--params", __file__), 1, "can't be used"),
        (("--people", __file__), 1, "The people in"),
        (("--ratings", __file__), 1, "test_evaluate_command.py"),
        (("--report", f"{__file__}/x"), 2, "Nothing can be written to"),
    ],
)
def test_what_cant_be_done_is_said_in_a_sentence(
    small_ratings_csv: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    assert sentence in evaluate("--ratings", small_ratings_csv, *arguments, status=status).output


def test_titles_of_hidden_years_are_found_by_their_attributes_only(small_ratings_csv: Path, tmp_path: Path) -> None:
    """Titles of one genre are the favourites of some people; those of 2020 are hidden, and ranked by it."""
    rng = np.random.default_rng(0)
    facts = [f"{n},Anime {n},{'Action' if n % 2 else 'Drama'},TV,12,7.5,1000" for n in range(1, 241)]
    (tmp_path / "anime.csv").write_text("\n".join(["anime_id,name,genre,type,episodes,rating,members", *facts]))
    years = [f"{n},{2020 if n > 200 else 2000 + n % 20}" for n in range(1, 241)]
    (tmp_path / "titles.csv").write_text("\n".join(["anime_id,year", *years]))
    rows = [
        f"{user},{anime_id},{rng.integers(7, 11)}"
        for user in range(150)
        for anime_id in range(1, 241)
        if anime_id % 2 == user % 2 and rng.random() < 0.6
    ]
    (tmp_path / "ratings.csv").write_text("\n".join(["user_id,anime_id,rating", *rows]))
    tables = [one for name in ("ratings", "anime", "titles") for one in (f"--{name}", tmp_path / f"{name}.csv")]
    assert evaluate(*tables, "--hide-years", "2020", "--quiet").output == ""
    head, *lines = evaluate(*tables, "--hide-years", "2020-2021").stdout.splitlines()
    assert head.split() == ["method", "NDCG@10", "liked", "NDCG@10", "people"]
    found = {" ".join(line.split()[:-3]): [float(figure) for figure in line.split()[-3:]] for line in lines}
    assert list(found) == ["Hakken", "Hakken without members", "members"]
    for liked, ndcg, people in (found["Hakken"], found["Hakken without members"]):
        assert min(liked, ndcg) > 0.15
        assert people > 20
    assert found["members"][1] < 0.6 * found["Hakken"][1]
    assert "a title of these years" in evaluate(*tables, "--hide-years", "1950", status=1).output


@pytest.mark.parametrize("where", ["evaluate_method", "draw"])
def test_one_that_is_broken_off_leaves_everything_as_it_was(
    small_ratings_csv: Path, evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    report.write(evaluation, tmp_path)
    before = files_in(tmp_path)

    def broken_off(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(comparison if where == "evaluate_method" else plots, where, broken_off)
    said = evaluate("--ratings", small_ratings_csv, *QUICK, "--report", tmp_path, status=143).output
    assert f"Stopped; {tmp_path} is unchanged." in said
    assert files_in(tmp_path) == before


def test_the_table_shows_figures_as_they_are() -> None:
    measured = {f"{one.name}{end}": [np.nan, np.nan] for one in MEASURES for end in ("", "_low", "_high")}
    row = measured | {
        "ndcg": [0.57934, 0.1], "ndcg_low": [0.5661, np.nan], "ndcg_high": [0.5921, np.nan],
        "recall": [0.5, 0.25], "lift": [0.436, -0.5], "rmse": [np.nan, 1.0894],
    }  # fmt: skip
    about = {"method": ["a", "b"], "title": ["A", "Bee"], "folds_in": [True, False], "items": [1792.4, 4]}
    about["salts"] = [2, 1]
    table = pd.DataFrame(about | row | {"people": [784, 784], "fit_seconds": [12.34, 0], "answer_ms": [5, 1000.04]})
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in markdown(table).splitlines()]
    assert lines[0] == ["method", "NDCG@10", "Recall@20", "items shown", "lift", "RMSE", "fit, s", "a user, ms"]
    assert lines[2] == ["A", "0.579 ±0.013", "0.500", "1,792", "+0.44", "–", "12.3", "5.0"]  # noqa: RUF001  # a dash
    assert lines[3] == ["Bee † ‡", "0.100", "0.250", "4", "-0.50", "1.089", "0.0", "1,000.0"]
    assert len({len(line) for line in markdown(table).splitlines()}) == 1


def test_the_table_of_groups_shows_a_dash_for_what_is_not_measured() -> None:
    measured = {f"{one.name}{end}": [np.nan, np.nan] for one in BY_GROUP for end in ("", "_low", "_high")}
    row = measured | {"ndcg": [0.5, np.nan], "found": [0.25, 0.125], "found_low": [0.2, 0.1], "found_high": [0.3, 0.2]}
    about = {"method": ["a", "a"], "title": ["A", "A"], "group": ["lists", "titles"], "people": [1234.4, 7]}
    text = markdown_by_group(pd.DataFrame(about | row))
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines()]
    assert lines[0] == ["group", "method", "people", "NDCG@10", "found in 20"]
    assert lines[2] == ["lists", "A", "1,234", "0.500", "0.250 ±0.050"]
    assert lines[3] == ["titles", "A", "7", "–", "0.125 ±0.050"]  # noqa: RUF001  # a dash
    assert markdown_by_group(pd.DataFrame()) == ""


def test_what_is_written_can_be_repeated_and_says_what_was_found(evaluation: Evaluation, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert all(path.is_file() for path in report.write(evaluation, tmp_path / name))
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")
    found = pd.read_csv(tmp_path / "one" / "evaluation" / "table.csv")
    pd.testing.assert_frame_equal(found, evaluation.table, rtol=1e-12)
    groups = pd.read_csv(tmp_path / "one" / "evaluation" / "groups.csv")
    pd.testing.assert_frame_equal(groups, evaluation.groups, rtol=1e-12)
    for name in PLOTS:
        drawn = ET.fromstring((tmp_path / "one" / "evaluation" / name).read_bytes())
        texts = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
        measured = evaluation.table[evaluation.table["lift"].notna() | (name != "ndcg-lift.svg")]
        assert set(measured["title"]) <= texts, name
    page = (tmp_path / "one" / "evaluation.md").read_text()
    assert all(f"**{method.title}**" in page for method in evaluation.methods.values())
    assert "Surprise SVD †" in page


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_groups_are_in_order_and_keep_equals_together(values: Sequence[int]) -> None:
    numbers = np.array(values)
    groups = plots.groups_of(numbers)
    assert set(groups.tolist()) == set(range(int(groups.max()) + 1)) <= set(range(plots.GROUPS))
    for (a, group), (b, other) in itertools.combinations(zip(values, groups.tolist(), strict=True), 2):
        assert (a <= b) if group < other else (a >= b) if group > other else True
        assert group == other or a != b
    names = plots.names_of(numbers, groups)
    assert names[0].split("-")[0] == f"{min(values)}"
    assert names[-1].split("-")[-1] == f"{max(values)}"


def test_the_committed_page_holds_the_committed_table() -> None:
    table = pd.read_csv(DOCS / "evaluation" / "table.csv")
    page = (DOCS / "evaluation.md").read_text()
    assert markdown(table) in page
    measured = table["method"].tolist()
    assert measured == [*METHODS, *ABLATIONS]
    assert table["discovery"].notna().all()
    for method in map(all_methods(Parameters(), Catalogue([])).__getitem__, measured):
        assert f"- **{method.title}**" in page, method.name
        assert method.note in page, method.name
    assert {path.name for path in (DOCS / "evaluation").iterdir()} == {*TABLES, *PLOTS}
