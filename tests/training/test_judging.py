"""Who judges models, and how a new one is compared with the one that is served."""

import dataclasses
import math
from collections.abc import Callable

import msgspec
import pytest

from benchmarks.synthetic import synthetic_entries
from hakken.bundle import ModelBundle
from hakken.cli.inspect import judgement_lines
from hakken.evaluation import judging, protocol
from hakken.evaluation.judging import faults, judge
from hakken.evaluation.methods import RANKING, unsaved
from hakken.model.manifest import Difference, Judgement, MadeFrom, Manifest, TablePart
from hakken.recommend import recommend
from hakken.training import fit
from hakken.training.tables import RatingTable, read_ratings
from tests.models import N_ITEMS, PARAMETERS, small_catalogue
from tests.training.evaluation_oracle import ndcg

JUDGES = [4, 24, 25, 28, 36, 44, 50, 51, 55, 58, 75, 78, 81, 90, 97, 100, 112, 118]
"""Of the users 1 to 119. This must never change: published models were trained without them."""


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory) -> RatingTable:
    path = tmp_path_factory.mktemp("judging") / "ratings.csv"
    synthetic_entries(600, N_ITEMS, 24_000, seed=11).frame().to_csv(path, index=False)
    return read_ratings(path)


@pytest.fixture(scope="module")
def table(everyone: RatingTable) -> RatingTable:
    return protocol.without_held_out(everyone)


@pytest.fixture(scope="module")
def good(table: RatingTable) -> ModelBundle:
    return unsaved(fit(table, PARAMETERS, small_catalogue()), small_catalogue())


@pytest.fixture(scope="module")
def bad(good: ModelBundle) -> ModelBundle:
    """One that recommends what people who watched the same did not watch."""
    arrays = good.model.arrays
    model = dataclasses.replace(good.model, arrays=dataclasses.replace(arrays, pref_values=-arrays.pref_values))
    return ModelBundle(model, good.catalogue)


def test_a_tenth_that_never_changes_is_left_out(everyone: RatingTable, table: RatingTable) -> None:
    left_out = {name for name in everyone.user_names if name not in table.user_names}
    assert sorted(int(one) for one in left_out if int(one) < 120) == JUDGES
    assert {*everyone.user_names} == {str(one) for one in range(1, 601)}
    assert 0.05 < len(left_out) / everyone.n_users < 0.15
    rows = {(name, anime_id) for name, anime_id, _ in entries_of(everyone)}
    kept = {(name, anime_id) for name, anime_id, _ in entries_of(table)}
    assert kept == {(name, anime_id) for name, anime_id in rows if name not in left_out}
    assert table.dropped[protocol.HELD_OUT] == len(rows) - len(kept) > 0


def entries_of(table: RatingTable) -> list[tuple[str, int, int]]:
    names = table.user_names
    columns = zip(table.users.tolist(), table.anime_ids[table.items].tolist(), table.scores.tolist(), strict=True)
    return [(names[user], anime_id, score) for user, anime_id, score in columns]


def test_the_judges_are_of_that_tenth_have_enough_scores_and_are_not_too_many(
    everyone: RatingTable, table: RatingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = protocol.judges(everyone)
    assert len(people) > 20
    assert not {one.name for one in people} & {*table.user_names}
    for one in people:
        own = {anime_id: score for name, anime_id, score in entries_of(everyone) if name == one.name}
        assert sum(score > 0 for score in own.values()) >= protocol.MIN_SCORED
        assert {rating.anime_id for rating in one.given.ratings} | one.held_out.keys() == own.keys()
        assert not {rating.anime_id for rating in one.given.ratings} & one.held_out.keys()
    monkeypatch.setattr(protocol, "MAX_JUDGES", 5)
    assert {one.name for one in protocol.judges(everyone)} < {one.name for one in people}


def mean_ndcg(bundle: ModelBundle, people: tuple[protocol.TestUser, ...]) -> float:
    shown = [
        [one.anime_id for one in recommend(user.given, bundle, RANKING).recommendations]
        for user in people
        if user.liked
    ]
    liked = [user.liked for user in people if user.liked]
    return math.fsum(map(ndcg, shown, liked)) / len(liked)


def test_a_worse_model_is_told_from_a_good_one_and_equal_ones_are_equal(
    everyone: RatingTable, table: RatingTable, good: ModelBundle, bad: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = protocol.judges(everyone)
    monkeypatch.setattr(judging, "MIN_JUDGES", len(people))
    found = judge(bad, good, people, table)
    liked = found.measures["ndcg_liked"]
    assert liked.new == pytest.approx(mean_ndcg(bad, people), abs=1e-6)
    assert liked.served == pytest.approx(mean_ndcg(good, people), abs=1e-6)
    assert liked.low is not None
    assert liked.high is not None
    assert liked.new is not None
    assert liked.served is not None
    assert liked.low < liked.new - liked.served < liked.high < 0
    said = list(faults(found, bad.model.manifest, good.model.manifest))
    assert any("It finds less of what people liked" in one for one in said)

    same = judge(good, good, people, table)
    assert {(same.measures[name].low, same.measures[name].high) for name in judging.JUDGED} == {(0.0, 0.0)}
    assert same.measures["next_found"] == Difference(None, None, None, None), "no title here has a series"
    assert list(faults(same, good.model.manifest, good.model.manifest)) == []

    monkeypatch.setattr(judging, "MIN_JUDGES", len(people) + 1)
    few = judge(good, bad, people, table)
    assert few.measures == {}
    [said_of_few] = faults(few, good.model.manifest, good.model.manifest)
    assert f"Only {len(people)} people" in said_of_few


Change = Callable[[Manifest], Manifest]


def sized(**sizes: float) -> Change:
    def change(manifest: Manifest) -> Manifest:
        now = msgspec.structs.asdict(manifest.sizes)
        return msgspec.structs.replace(
            manifest,
            sizes=msgspec.structs.replace(
                manifest.sizes, **{name: int(now[name] * factor) for name, factor in sizes.items()}
            ),
        )

    return change


def scoring(*scores: int) -> Change:
    return lambda manifest: msgspec.structs.replace(
        manifest, people=msgspec.structs.replace(manifest.people, scores=scores)
    )


@pytest.mark.parametrize(
    ("change", "high", "said"),
    [
        (sized(), 0.0, None),
        (sized(users=0.81, items=0.81), 0.01, None),
        (
            sized(),
            -0.001,
            "of what was new to them: 0.400, not 0.400; the difference is between -0.020 and -0.001",
        ),
        (sized(users=0.79), 0.01, "people from"),
        (sized(items=0.79), 0.01, "titles from"),
        (scoring(*[0] * 9, 1), 0.01, "People score differently than before"),
    ],
)
def test_what_speaks_against_a_model(good: ModelBundle, change: Change, high: float, said: str | None) -> None:
    served = good.model.manifest
    one = Difference(0.4, 0.4, -0.02, 0.01)
    measures = {"ndcg_liked": one, "discovery": msgspec.structs.replace(one, high=high)}
    found = list(faults(Judgement("v", 200, measures), change(served), served))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_shares_of_scores_may_change_by_a_third(good: ModelBundle) -> None:
    served = scoring(*[0] * 6, 3, 3, 3, 0)(good.model.manifest)
    measures = dict.fromkeys(judging.JUDGED, Difference(0.4, 0.4, -0.01, 0.01))
    for scores, n_faults in (((0, 3, 3, 3), 0), ((1, 2, 3, 3), 0), ((3, 3, 1, 2), 0), ((3, 2, 0, 4), 1)):
        new = scoring(*[0] * 6, *scores)(good.model.manifest)
        assert len(list(faults(Judgement("v", 200, measures), new, served))) == n_faults


def test_the_page_and_the_lines_tell_the_figures(good: ModelBundle) -> None:
    measures = {
        "ndcg_liked": Difference(0.5, 0.6, -0.2, -0.05),
        "next_found": Difference(None, None, None, None),
    }
    judgement = Judgement("20260101T000000Z-aaaaaaaaaaaa", 1234, measures)
    part = TablePart(1_000_000, "ab" * 32, option="ratings", name="<part>.csv")
    manifest = msgspec.structs.replace(good.model.manifest, made_from=MadeFrom((part,)))
    page = judging.page(judgement, ["It is worse."], "v2", manifest, good.model.manifest).decode()
    for text in (
        "The new model may not replace it",
        "It is worse.",
        "1,234 people",
        "-0.200 to -0.050",
        "&lt;part&gt;.csv",
        "1.0 MB",
    ):
        assert text in page
    assert "<script" not in page
    said = "\n".join(judgement_lines(judgement))
    assert "ndcg_liked" in said
    assert "0.500   0.600   -0.200 to -0.050" in said
    assert (
        "the new model may replace it"
        in judging.page(judgement, [], "v2", manifest, good.model.manifest).decode().lower()
    )
