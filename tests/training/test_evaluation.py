"""The evaluation: who is asked, what an answer is worth, and how figures are put together."""

import dataclasses
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rating_quality import errors
from hakken.catalogue import Anime, Catalogue
from hakken.errors import TableError
from hakken.evaluation import metrics, protocol
from hakken.evaluation.hakken_methods import hakken_methods
from hakken.evaluation.methods import Answer, Ask, Method
from hakken.evaluation.metrics import MEASURES, SeriesKeys, Sums, series_keys, with_shows
from hakken.evaluation.outcomes import Outcome, evaluate_method
from hakken.evaluation.protocol import Split, bucket, split
from hakken.evaluation.report import LENGTHS, WATCHERS, by_group, figure_of
from hakken.evaluation.simple_methods import baseline, popularity
from hakken.model import Model, fold_in, predict
from hakken.ratings import Rating, Status, UserList
from hakken.training import fit
from hakken.training.progress import SILENT
from hakken.training.tables import read_ratings
from tests.models import N_ITEMS, PARAMETERS
from tests.training import evaluation_oracle as oracle

MEASURE = {measure.name: measure for measure in MEASURES}
KEYS = SeriesKeys({anime_id: f"series {anime_id // 3}" for anime_id in range(1, N_ITEMS + 1)}, "thirds")


@pytest.fixture(scope="module")
def divided(ratings_csv: Path) -> Split:
    return split(read_ratings(ratings_csv), "hakken")


def value_of(name: str, outcome: Outcome) -> float:
    sums = outcome.sums[name]
    return float(MEASURE[name].of(sums.total.sum(), sums.weight.sum()))


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """Names, in another order than the numbers, and statuses: every fourth title is planned."""
    frame["username"] = "Bø" + (10_000 - frame["user_id"]).astype(str)
    frame["my_status"] = np.where(frame["anime_id"] % 4 == 0, 6, 2)
    return frame.rename(columns={"rating": "my_score"})[["my_status", "username", "anime_id", "my_score"]]


def partly_unknown(frame: pd.DataFrame) -> pd.DataFrame:
    """Of every fourth title, where it has no score, nobody knows whether it was watched."""
    frame["watching_status"] = np.where(frame["anime_id"] % 4 == 0, 0, 2)
    frame["updated_at"] = "2026-03-" + (frame["user_id"] % 28 + 1).astype(str).str.zfill(2)
    return frame


@pytest.mark.parametrize(
    ("salt", "changed"), [("hakken", None), ("s1", None), ("hakken", named), ("hakken", partly_unknown)]
)
def test_a_split_is_what_the_protocol_says(
    ratings_csv: Path, tmp_path: Path, salt: str, changed: Callable[[pd.DataFrame], pd.DataFrame] | None
) -> None:
    path = ratings_csv
    if changed:
        path = tmp_path / "r.csv"
        changed(pd.read_csv(ratings_csv)).to_csv(path, index=False)
    expected, found = oracle.divide(path, salt), split(read_ratings(path), salt)
    table = found.training
    rows: oracle.Rows = {}
    for u, item, score in zip(table.users.tolist(), table.items.tolist(), table.scores.tolist(), strict=True):
        rows.setdefault(table.user_names[u], {})[int(table.anime_ids[item])] = score
    assert rows == expected.training
    assert table.n_users == len(table.user_names) == len(rows)
    assert np.bincount(table.items).min() > 0  # what only test users have is not ranked
    assert 20 < len(found.users) < 100
    assert {one.name: {r.anime_id: r.score for r in one.given.ratings} for one in found.users} == expected.given
    assert {one.name: one.held_out for one in found.users} == expected.held_out
    planned = {
        (one.name, r.anime_id) for one in found.users for r in one.given.ratings if r.status is Status.PLAN_TO_WATCH
    }
    assert planned == {(name, a) for name, a in expected.planned if a in expected.given.get(name, ())}
    assert bool(planned) == bool(changed)
    for user in found.users:
        assert set(user.liked) == {a for a, r in user.held_out.items() if r >= 8}
    if changed is partly_unknown:
        first = date(2026, 3, 1).toordinal() - date(1970, 1, 1).toordinal()
        assert table.updated.tolist() == [first + int(name) % 28 for name in table.user_names]


def test_a_table_with_nobody_left_to_train_on_is_refused(tmp_path: Path) -> None:
    rows = [f"{user},{anime_id},7\n" for user in range(100) if bucket("s", f"{user}") == 0 for anime_id in range(1, 31)]
    (tmp_path / "r.csv").write_text("user_id,anime_id,rating\n" + "".join(rows))
    with pytest.raises(TableError, match='The salt "s" makes everyone a test user'):
        split(read_ratings(tmp_path / "r.csv"), "s")


def hand_made(directory: Path, n_given: int, n_held_out: int, n_unscored: int = 0) -> Path:
    """A table with one test user under the salt "s", who has this many scores of each kind, and some others."""
    [user, *_] = [n for n in range(100) if bucket("s", f"{n}") == 0]
    given_ids = [n for n in range(1, 400) if bucket("s", f"{user}:{n}")]
    held_out_ids = [n for n in range(1, 400) if bucket("s", f"{user}:{n}") == 0]
    rows = [(user, anime_id, 7) for anime_id in given_ids[:n_given] + held_out_ids[:n_held_out]]
    rows += [(user, anime_id, -1) for anime_id in given_ids[n_given : n_given + n_unscored]]
    others = [n for n in range(100) if bucket("s", f"{n}") > 0][:3]
    rows += [(other, anime_id, 5 + other % 3) for other in others for anime_id in given_ids[:6]]
    rows += [(others[0], held_out_ids[0], -1), (others[0], held_out_ids[1], 6)]
    path = directory / "r.csv"
    pd.DataFrame(rows, columns=["user_id", "anime_id", "rating"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("n_given", "n_held_out", "n_unscored", "asked"),
    [(5, 15, 0, True), (4, 16, 9, False), (20, 0, 0, False), (19, 1, 0, True), (5, 14, 9, False)],
)
def test_who_is_asked_at_the_edges(tmp_path: Path, n_given: int, n_held_out: int, n_unscored: int, asked: bool) -> None:
    named = read_ratings(hand_made(tmp_path, n_given, n_held_out, n_unscored))
    if not asked:
        with pytest.raises(TableError, match="makes no test user of this table: that takes 20 scores"):
            split(named, "s")
        return
    [user] = split(named, "s").users
    assert (len(user.given), len(user.held_out)) == (n_given, n_held_out)


def test_what_only_test_users_have_is_not_ranked_and_what_nobody_scored_is_not_predicted(tmp_path: Path) -> None:
    divided = split(read_ratings(hand_made(tmp_path, 12, 10)), "s")
    [user] = divided.users
    held_out = list(user.held_out)
    assert divided.n_items == 8  # six that the others scored, and two that the user has held out
    outcome = evaluate_method(baseline, divided)
    assert outcome.sums["rmse"].weight.tolist() == [1]  # of the two one has no score but the user's own
    assert outcome.sums["recall"].total.tolist() == [2 / 10]
    assert outcome.sums["ndcg"].total.tolist() == pytest.approx([oracle.ndcg(held_out[:2], held_out)])
    assert outcome.popularity.tolist() == [1, 1] + [0] * 8


WHAT = [f"t{n}" for n in range(40)]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(WHAT), unique=True), st.sets(st.sampled_from(WHAT))), min_size=1, max_size=8
    )
)
def test_ndcg_and_recall_are_the_textbooks(cases: list[tuple[list[str], set[str]]]) -> None:
    shown, relevant = [one for one, _ in cases], [other for _, other in cases]
    of_ndcg, of_recall = metrics.ndcg(shown, relevant), metrics.recall(shown, relevant)
    assert of_ndcg.weight.tolist() == of_recall.weight.tolist() == [bool(one) for one in relevant]
    expected = [
        (oracle.ndcg(top, wanted), len(set(top[:20]) & wanted) / min(20, len(wanted))) if wanted else (0, 0)
        for top, wanted in cases
    ]
    assert np.column_stack((of_ndcg.total, of_recall.total)) == pytest.approx(np.array(expected), abs=1e-9)


def test_rating_errors_are_of_scored_titles_that_somebody_scored_and_clipped() -> None:
    user = protocol.TestUser("1", UserList.of([]), {10: 9, 11: 0, 12: 7, 13: 10})
    found = metrics.rating_errors(np.array([11.0, 3.0, 8.5]), user, {10: 0, 11: 1, 12: 2})
    assert found == (1 + 1.5**2, 1 + 1.5, 2)


def test_discovery_takes_begun_series_out_of_a_ranking_but_not_out_of_a_default_list() -> None:
    keys = SeriesKeys({1: "a", 2: "a", 3: "b", 4: "b", 5: "c"}, "")
    user = protocol.TestUser("1", UserList.of([Rating(1, 5)]), {2: 9, 3: 9, 4: 9, 7: 8})
    ranking = [2, 4, 3, 5, 7, *range(50, 70)]
    others = [f"anime {n}" for n in range(50, 57)]
    assert metrics.discoveries(Answer(ranking), user, keys) == ["b", "c", "anime 7", *others]
    assert metrics.discoveries(Answer([], ranking), user, keys) == ["a", "b", "c", "anime 7", *others[:-1]]
    assert metrics.discoveries(Answer([], []), user, keys) == []
    assert metrics.new_series(user.held_out, user, keys) == {"b", "anime 7"}


IDS = st.integers(1, 24)
TIMES = [
    (1999, "Winter 2000", "1999-12-31", (1999, 12, 31)),
    (1999, "fall", None, (1999, 10, 0)),
    (2000, "Winter 2000", None, (2000, 1, 0)),
    (2000, "fall", "2000-04", (2000, 4, 0)),
    (2000, None, None, (2000, 7, 0)),
    (None, None, None, ()),
]
"""Year, season, first day, and when that is."""


@settings(max_examples=100)
@given(st.data())
def test_series_figures_are_those_of_the_oracle(data: st.DataObject) -> None:
    times = {anime_id: data.draw(st.sampled_from(TIMES)) for anime_id in range(1, 25)}
    catalogue = Catalogue(
        Anime(
            anime_id=anime_id,
            title="A",
            type=data.draw(st.sampled_from(["TV", "TV", "Movie", "ONA", None])),
            episodes=data.draw(st.sampled_from([5, 6, None])),
            year=year,
            season=season,
            start_date=started,
        )
        for anime_id, (year, season, started, _) in times.items()
    )
    of_anime = {anime_id: data.draw(st.sampled_from("abcd")) for anime_id in catalogue}
    statuses = st.sampled_from([Status.COMPLETED, Status.COMPLETED, Status.PLAN_TO_WATCH, Status.DROPPED])
    rows = data.draw(st.dictionaries(IDS, statuses, max_size=8))
    hidden = data.draw(st.sets(IDS)) - rows.keys()
    planned = {a for a, status in rows.items() if status is Status.PLAN_TO_WATCH}
    dropped = {a for a, status in rows.items() if status is Status.DROPPED}
    began = {
        a: times[a][-1]
        for a, one in catalogue.items()
        if one.year and (one.type == "TV" or (one.type == "ONA" and one.episodes == 6))
    }
    keys = with_shows(SeriesKeys(of_anime, ""), catalogue)
    in_order = sorted(began, key=lambda a: (*began[a], a))
    assert keys.shows == {key: [a for a in in_order if of_anime[a] == key] for key in {of_anime[a] for a in began}}
    user = protocol.TestUser(
        "1", UserList.of(Rating(a, 0, status) for a, status in rows.items()), dict.fromkeys(hidden, 0)
    )
    shown, following = data.draw(st.lists(IDS, unique=True)), data.draw(st.lists(IDS, unique=True))
    seen = rows.keys() - planned
    continued = oracle.share_continued(shown, seen, planned, of_anime)
    assert metrics.continued(shown, user, keys)[0] == pytest.approx(continued)
    wanted = oracle.next_parts(hidden, seen, dropped, of_anime, began)
    assert metrics.next_found(following, user, keys) == (len(wanted & set(following)), len(wanted))


@pytest.mark.parametrize("method", [popularity, baseline])
def test_a_method_is_judged_as_the_protocol_says(ratings_csv: Path, divided: Split, method: Method) -> None:
    outcome = evaluate_method(method, divided, KEYS)
    ask = method.fit(divided, SILENT)
    shown = {user.name: ask(user).ranking for user in divided.users}
    rows = oracle.divide(ratings_csv, "hakken")
    expected = oracle.measures(rows, shown, KEYS.of_anime) | {"alike": oracle.mean_cosine(rows, shown)}
    of_ratings = {"rmse", "mae", "disliked"}
    assert set(expected) == {name for name in outcome.sums if name not in of_ratings}  # no list by default
    for name, value in expected.items():
        assert value_of(name, outcome) == pytest.approx(value, abs=1e-6 if name == "alike" else 1e-9), name
    assert outcome.items == len({anime_id for one in shown.values() for anime_id in one[:10]})
    assert outcome.lengths.tolist() == [len(user.given) for user in divided.users]
    entries = np.bincount(divided.training.anime_ids[divided.training.items])
    asked = [(anime_id, user.name) for user in divided.users for anime_id in user.held_out]
    assert outcome.held_out.tolist() == [len(user.held_out) for user in divided.users]
    assert outcome.popularity.tolist() == [entries[anime_id] for anime_id, _ in asked]
    assert outcome.found.tolist() == [anime_id in shown[name][:20] for anime_id, name in asked]


def test_dislikes_likeness_and_coverage_are_of_the_default_list(ratings_csv: Path, divided: Split) -> None:
    """It has titles that nobody in training knows, titles that 0 to 4 people scored, and more than count."""
    rows, table = oracle.divide(ratings_csv, "hakken"), divided.training
    scores = table.scores.copy()
    for item in range(40):
        for at in np.flatnonzero((table.items == item) & (scores > 0))[item % 5 :]:
            scores[at] = 0
            rows.training[table.user_names[table.users[at]]][int(table.anime_ids[item])] = 0
    divided = divided._replace(training=dataclasses.replace(table, scores=scores))
    rng, known = np.random.default_rng(0), divided.training.anime_ids.tolist()
    shown = {one.name: [*rng.permutation(known[:60])[:8].tolist(), 9001, 9002, known[-1]] for one in divided.users}
    r_hat = {one.name: rng.uniform(0, 11, len(known)) for one in divided.users}
    shown[divided.users[0].name] = []

    def ask(user: protocol.TestUser) -> Answer:
        return Answer(known[100:120], default_list=shown[user.name], r_hat=r_hat[user.name])

    outcome = evaluate_method(Method("fitted", "fitted", "", lambda *_: ask), divided)
    predicted = {name: dict(zip(known, one.tolist(), strict=True)) for name, one in r_hat.items()}
    assert value_of("disliked", outcome) == pytest.approx(oracle.share_disliked(rows, shown, predicted), abs=1e-9)
    assert 0.1 < value_of("disliked", outcome) < 0.8
    assert value_of("alike", outcome) == pytest.approx(oracle.mean_cosine(rows, shown), abs=1e-6)
    assert outcome.items == len({anime_id for one in shown.values() for anime_id in one[:10]})


def test_who_has_no_list_and_who_is_not_known_is_alike_to_nothing(divided: Split) -> None:
    lists, items = divided.lists().T.tocsr(), {7: 0, 8: 1}
    assert metrics.alike([], lists, items) == (0, 0)
    assert metrics.alike([7], lists, items) == pytest.approx((0, 0), abs=1e-6)
    assert metrics.alike([7, 9], lists, items) == pytest.approx((0, 1), abs=1e-6)


def test_groups_are_of_people_by_their_lists_and_of_titles_by_who_has_them() -> None:
    one = Outcome(
        people=("a", "b", "c"),
        sums={
            "ndcg": Sums(np.array([0.2, 0.4, 0.9]), np.ones(3)),
            "lift": Sums(np.zeros(3), np.array([0.0, 2.0, 1.0])),
        },
        items=1,
        lengths=np.array([49, 50, 201]),
        held_out=np.array([2, 1, 3]),
        popularity=np.array([49, 50, 500, 501, 0, 7]),
        found=np.array([True, False, True, True, False, True]),
        fit_seconds=0.0,
        answer_seconds=0.0,
    )
    methods = hakken_methods(PARAMETERS, Catalogue([]))
    table = by_group({"popularity": [one], "first-stage": [one, one], "hakken": [one]}, methods, 0)
    assert table["method"].tolist() == ["hakken", "first-stage"] * 6
    assert table["group"].drop_duplicates().tolist() == [*LENGTHS, *WATCHERS]
    found = table[table["method"] == "first-stage"]
    nan = math.nan
    assert found["people"].tolist() == [1, 1, 1, 2, 2, 1]
    assert found["ndcg"].tolist() == pytest.approx([0.2, 0.4, 0.9, nan, nan, nan], nan_ok=True)
    assert found["lift"].tolist() == pytest.approx([nan, 0, 0, nan, nan, nan], nan_ok=True)
    assert found["found"].tolist() == pytest.approx([1 / 2, 1, 2 / 3, 2 / 3, 1 / 2, 1])
    assert by_group({"popularity": [one]}, methods, 0).empty


def test_the_benchmarks_rating_quality_is_the_evaluations(divided: Split) -> None:
    model = Model(*fit(divided.training, PARAMETERS)[:2], "unsaved")

    def fitted(*_: object) -> Ask:
        return lambda user: Answer([1], r_hat=predict(model, fold_in(model, user.given)))

    outcome = evaluate_method(Method("fitted", "fitted", "", fitted), divided)
    assert set(outcome.sums) == {"ndcg", "ndcg_liked", "recall", "lift", "alike", "disliked", "rmse", "mae"}
    differences = errors(model, divided.users)
    assert value_of("rmse", outcome) == pytest.approx(np.sqrt((differences**2).mean()), abs=1e-9)
    assert value_of("mae", outcome) == pytest.approx(np.abs(differences).mean(), abs=1e-9)
    assert outcome.sums["mae"].weight.sum() == len(differences) > 100


def test_keys_come_from_a_file_or_from_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    path.write_text("anime_id,key,more\n5,nan,x\n6,nan,y\n7,,z\n")
    keys = series_keys(Catalogue([]), path)
    assert [keys.key(anime_id) for anime_id in (5, 6, 7, 8)] == ["nan", "nan", "anime 7", "anime 8"]
    assert keys.source == "the keys of keys.csv"
    own = series_keys(Catalogue([Anime(anime_id=3, title="A", series=1), Anime(anime_id=1, title="A")]))
    assert own.key(3) == own.key(1) != own.key(2)


@pytest.mark.parametrize("text", ["anime_id,name\n1,a\n", "", "anime_id,key\nx,a\n", "anime_id,key\n,a\n", "\xff\xfe"])
def test_keys_that_cant_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(TableError, match=r"The keys in .*keys\.csv can't be read"):
        series_keys(Catalogue([]), path)


def outcome_of(values: dict[str, tuple[float, float]], measure: str = "ndcg") -> Outcome:
    total, weight = np.array(list(values.values())).T
    nothing = np.zeros(0, dtype=np.int64)
    return Outcome(tuple(values), {measure: Sums(total, weight)}, 1, nothing, nothing, nothing, nothing > 0, 0.0, 0.0)


def test_a_figure_is_the_mean_over_salts_of_each_ones_mean() -> None:
    one = outcome_of({"a": (1, 1), "b": (0, 0), "c": (0, 1)})
    other = outcome_of({"c": (0.2, 1), "d": (0.4, 1), "e": (0.6, 1), "f": (0.4, 1)})
    value, low, high = figure_of(MEASURE["ndcg"], [one, other], 500)
    assert value == pytest.approx((0.5 + 0.4) / 2)
    assert low < value < high


@pytest.mark.parametrize(
    ("measure", "values", "n_resamples", "expected"),
    [
        ("rmse", {"a": (8, 2), "b": (10, 4)}, 0, math.sqrt(3)),  # the root of a mean; 0 resamples give no interval
        ("ndcg", {"a": (0.5, 1)}, 100, 0.5),  # one person cannot be resampled
        ("mae", {"a": (0, 0), "b": (0, 0)}, 10, math.nan),  # all are left out
        ("lift", None, 10, math.nan),  # not measured
    ],
)
def test_a_figure_without_an_interval(
    measure: str, values: dict[str, tuple[float, float]] | None, n_resamples: int, expected: float
) -> None:
    outcome = outcome_of(values, measure) if values else outcome_of({"a": (0.5, 1)})
    figure = figure_of(MEASURE[measure], [outcome], n_resamples)
    assert figure == pytest.approx((expected, math.nan, math.nan), nan_ok=True)


def test_an_interval_is_that_of_the_normal_law_where_many_are_asked_and_can_be_repeated() -> None:
    values = np.random.default_rng(1).random(900)
    outcome = outcome_of({f"{n}": (value, 1) for n, value in enumerate(values)})
    figure = figure_of(MEASURE["ndcg"], [outcome], 2_000)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert (figure[2] - figure[1]) / 2 == pytest.approx(half, rel=0.07)
    assert figure == figure_of(MEASURE["ndcg"], [outcome], 2_000)


def test_a_person_under_two_salts_is_no_two_people() -> None:
    values = {f"{n}": (value, 1.0) for n, value in enumerate(np.random.default_rng(2).random(300).tolist())}
    strangers = {f"x{name}": value for name, value in values.items()}
    once, twice, apart = (
        figure_of(MEASURE["ndcg"], [outcome_of(one) for one in salts], 300)
        for salts in ([values], [values, dict(reversed(values.items()))], [values, strangers])
    )
    assert twice == pytest.approx(once)
    assert apart[2] - apart[1] < 0.85 * (once[2] - once[1])
