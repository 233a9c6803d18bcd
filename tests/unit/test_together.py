"""One list for two: against the rule written out, and what it promises of both people."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hakken.bundle import ModelBundle
from hakken.errors import BadOption
from hakken.model import ListColumns
from hakken.model.store import open_artefact
from hakken.ratings import FranchiseRule, Order, Planned, Preferences, Rating, Status, UserList
from hakken.recommend import rank, recommend, scoring
from hakken.recommend.together import rank_together, recommend_together
from tests.golden import MODELS, entries_of, lists
from tests.golden.oracle import Stored, Visitor
from tests.models import N_ITEMS
from tests.strategies import user_lists

LISTS = lists() | {"empty": UserList()}
PAIRS = [("sample", "20"), ("300", "sample"), ("20", "2000"), ("300", "300"), ("empty", "20"), ("empty", "empty")]
everything = [*range(1, N_ITEMS + 1), 99_999]
ALL = Preferences(n=100, franchise=FranchiseRule.ALL)


@pytest.fixture(scope="module")
def slow() -> Stored:
    return Stored(MODELS["small"])


@pytest.fixture(scope="module")
def small() -> ModelBundle:
    return ModelBundle.read(open_artefact(MODELS["small"]))


@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
@pytest.mark.parametrize("rule", ["all", "new"])
def test_the_list_is_in_the_order_of_the_match_of_the_less_happy_one(
    slow: Stored, small: ModelBundle, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], rule: str
) -> None:
    """The slow oracle's matches of every title, each divided by the person's largest; the lesser of the two counts."""
    monkeypatch.setattr(scoring, "SHORTLIST", 10**6)
    people = [Visitor(slow, entries_of(LISTS[name])) for name in names]
    rows = people[0].candidates("match") & people[1].candidates("match")
    if rule == "new":
        largest = [max(0.0, *(one.before[row] for row in rows)) for one in people]
        both = Visitor(slow, [*people_entries(names)])
        both.before = [
            min(one.before[row] / most for one, most in zip(people, largest, strict=True))
            for row in range(len(slow.anime_ids))
        ]
        rows = both.new_series(rows, "match")
    matches = {row: [one.match(row, rule) for one in people] for row in rows}
    most = [max(0.0, *(match[person] for match in matches.values())) or 1.0 for person in (0, 1)]
    score = {row: min(match[0] / most[0], match[1] / most[1]) for row, match in matches.items()}
    expected = sorted(rows, key=lambda row: (-score[row], row))[:20]

    columns = [ListColumns.of(LISTS[name]) for name in names]
    found = rank_together(columns, small, Preferences(n=20, franchise=FranchiseRule(rule)))
    assert found.rows.tolist() == expected
    for person in (0, 1):
        assert found.each[person].score.tolist() == pytest.approx([matches[row][person] for row in expected])
    assert found.relative.min(axis=0).tolist() == pytest.approx([score[row] for row in expected])


def people_entries(names: tuple[str, str]) -> list[tuple[int, int, str]]:
    """The entries of both lists."""
    return [entry for name in names for entry in entries_of(LISTS[name])]


@settings(max_examples=40)
@given(one=user_lists(everything), other=user_lists(everything), rule=st.sampled_from(FranchiseRule))
@example(one=UserList(), other=UserList(), rule=FranchiseRule.NEW)
@example(one=UserList.of(Rating(i, 8) for i in range(1, 300)), other=UserList(), rule=FranchiseRule.ALL)
def test_who_is_first_does_not_matter_and_neither_has_seen_what_is_listed(
    bundle: ModelBundle, one: UserList, other: UserList, rule: FranchiseRule
) -> None:
    preferences = msgspec.structs.replace(ALL, franchise=rule)
    found = recommend_together((one, other), bundle, preferences)
    swapped = recommend_together((other, one), bundle, preferences)
    exchanged = [(title.each[::-1], title.relative[::-1]) for title in found.titles]
    assert exchanged == [tuple(title) for title in swapped.titles]
    assert (found.notes[::-1], found.shortage) == (swapped.notes, swapped.shortage)

    ids = [title.each[0].anime_id for title in found.titles]
    assert ids == [title.each[1].anime_id for title in found.titles]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {rating.anime_id for user_list in (one, other) for rating in user_list.seen}
    least = [min(title.relative) for title in found.titles]
    assert least == sorted(least, reverse=True)
    assert all(part <= 1 for title in found.titles for part in title.relative)
    for person, user_list in enumerate((one, other)):
        alone = {each.anime_id: each for each in recommend(user_list, bundle, preferences).recommendations}
        for title in found.titles:
            own = title.each[person]
            if own.anime_id in alone:
                assert (own.match, own.predicted_rating) == pytest.approx(
                    (alone[own.anime_id].match, alone[own.anime_id].predicted_rating)
                )


@pytest.mark.parametrize("rule", list(FranchiseRule))
def test_two_people_with_the_same_list_get_its_own_list(embedded: ModelBundle, rule: FranchiseRule) -> None:
    """Without variety, which a list for two has not."""
    preferences = Preferences(n=50, franchise=rule)
    columns = ListColumns.of(LISTS["300"])
    found = rank_together([columns, columns], embedded, preferences)
    alone = rank(LISTS["300"], embedded, msgspec.structs.replace(preferences, variety=0.0)).best
    assert found.rows.tolist() == alone.rows.tolist()
    assert found.each[0].score.tolist() == found.each[1].score.tolist() == alone.score.tolist()


def test_the_served_model_gives_both_what_all_titles_would_give(
    embedded: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortlist misses nothing, whoever is first: there are universes, of which one series is chosen for both."""
    columns = [ListColumns.of(LISTS[name]) for name in ("sample", "2000")]
    preferences = Preferences(n=100)
    found = rank_together(columns, embedded, preferences).rows.tolist()
    assert rank_together(columns[::-1], embedded, preferences).rows.tolist() == found
    monkeypatch.setattr(scoring, "SHORTLIST", 10**6)
    assert rank_together(columns, embedded, preferences).rows.tolist()[:50] == found[:50]


def test_notes_are_each_persons_and_a_short_list_says_why(bundle: ModelBundle) -> None:
    seen = UserList.of([*(Rating(i, 8) for i in range(1, 245)), Rating(99_999)])
    planned = UserList.of([Rating(245, 0, Status.PLAN_TO_WATCH)])
    found = recommend_together((seen, planned), bundle, ALL)
    assert 245 in {title.each[0].anime_id for title in found.titles}, "a plan is not seen"
    assert len(found.titles) == N_ITEMS - 244
    assert found.shortage.startswith(f"Only {N_ITEMS - 244} titles are left")
    assert any("new to the model" in note for note in found.notes[0])
    assert any("so these are based on what you plan" in note for note in found.notes[1])


@pytest.mark.parametrize(
    "chosen",
    [
        {"order": Order.PREDICTED_RATING},
        {"variety": 0.0},
        {"planned": Planned.ONLY},
        {"seen": ("1-9",)},
        {"ignored": (1,)},
        {"like": (1,)},
    ],
)
def test_what_only_one_person_can_choose_is_refused(bundle: ModelBundle, chosen: dict[str, object]) -> None:
    with pytest.raises(BadOption, match="for two people doesn't accept"):
        recommend_together((UserList(), UserList()), bundle, msgspec.structs.replace(ALL, **chosen))
