"""What a list says about a taste, against the same in plain Python."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.ratings import Rating, Status, UserList
from hakken.taste import Profile, generosity_in_words, profile
from tests.models import N_ITEMS, with_parameters
from tests.strategies import user_lists

NEWER, NOWHERE = 90_000, 99_999
"""In the catalogue and not in the model; in neither."""
MIN_RATERS = 40
some_ids = [*range(1, N_ITEMS + 1), NEWER, NOWHERE]


def anime(anime_id: int) -> Anime:
    genres = tuple(
        name for name, every in (("Sci-Fi", 2), ("Drama", 3), ("Slice of Life", 40)) if anime_id % every == 0
    )
    year = None if anime_id % 7 == 0 else 1950 + anime_id % 70
    return Anime(anime_id=anime_id, title=f"Anime {anime_id}", genres=genres, year=year)


@pytest.fixture(scope="module")
def told(bundle: ModelBundle) -> ModelBundle:
    """The small model, in which a title needs some raters, with more to be known of its titles."""
    model = with_parameters(bundle, min_raters=MIN_RATERS).model
    return ModelBundle(model, Catalogue(anime(one) for one in [*range(1, N_ITEMS - 3), NEWER]))


class Plain:
    """The formulas, one title at a time."""

    def __init__(self, user_list: UserList, bundle: ModelBundle) -> None:
        arrays, model = bundle.model.arrays, bundle.model
        row_of = {anime_id: row for row, anime_id in enumerate(arrays.anime_ids.tolist())}
        self.scores = {one.anime_id: one.score for one in user_list.ratings if one.score > 0}
        self.watched = {one.anime_id for one in user_list.ratings if one.status is not Status.PLAN_TO_WATCH}
        self.facts = {one: bundle.catalogue.get(one) for one in {*self.scores, *self.watched}}
        known = {one: row_of[one] for one in self.scores if one in row_of}
        total = sum(self.scores[one] - model.mu - float(arrays.b_i[row]) for one, row in known.items())
        self.b_u = total / (model.manifest.parameters.reg_u + len(known))
        self.expected = {one: model.mu + self.b_u + float(arrays.b_i[row]) for one, row in known.items()}
        self.raters = {one: int(arrays.raters[row]) for one, row in known.items()}
        people = model.manifest.people.scores
        self.everyone = [count / sum(people) for count in people]
        self.telling = len({self.scores[one] for one in known}) > 1  # scores of unknown titles are not compared

    def lean(self, titles: set[int]) -> float | None:
        spoken = [self.scores[one] - self.expected[one] for one in titles if one in self.expected]
        return sum(spoken) / (len(spoken) + 30) if len(spoken) >= 3 and self.telling else None

    def with_genre(self, name: str) -> set[int]:
        return {one for one in self.expected if (facts := self.facts[one]) and name in facts.genres}

    def year(self, one: int) -> int:
        facts = self.facts[one]
        return (facts.year or 0) if facts else 0

    def opinions(self, sign: int) -> list[tuple[int, float]]:
        clipped = {one: min(max(expected, 1), 10) for one, expected in self.expected.items()}
        differences = {one: self.scores[one] - clipped[one] for one in self.expected if self.raters[one] >= MIN_RATERS}
        unusual = [(one, difference) for one, difference in differences.items() if sign * difference >= 1]
        return sorted(unusual, key=lambda pair: -sign * pair[1])[:5] if self.telling else []


@pytest.mark.parametrize("seed", range(12))
def test_the_profile_of_a_long_list_is_what_the_formulas_say(seed: int, told: ModelBundle) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.permutation(some_ids)[: 60 + 5 * seed].tolist()
    # Some like one genre better; some give nearly everything the highest score, so that more is expected of them.
    scores = [min(10, int(rng.integers(8 - seed % 9, 11)) + 2 * (one % 3 == 0)) for one in ids]
    statuses = rng.choice(list(Status), len(ids)).tolist()
    ratings = (Rating(one, score, Status(status)) for one, score, status in zip(ids, scores, statuses, strict=True))
    check(UserList.of(ratings), told)


def mean(values: list[int]) -> object:
    return pytest.approx(sum(values) / len(values)) if values else None


def near(value: float | None) -> object:
    return None if value is None else pytest.approx(value)


@settings(max_examples=120)
@given(user_list=user_lists(some_ids, max_size=120))
def test_so_is_that_of_any_list(user_list: UserList, told: ModelBundle) -> None:
    check(user_list, told)


def check(user_list: UserList, told: ModelBundle) -> None:
    found, plain = profile(user_list, told), Plain(user_list, told)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found  # no NaN
    check_counts(found, plain, user_list)

    leans = {one.name: one for one in found.genres}
    assert [one.lean for one in found.genres] == sorted((one.lean for one in found.genres), reverse=True)
    for name in ("Sci-Fi", "Drama", "Slice of Life"):
        titles = plain.with_genre(name)
        expected = plain.lean(titles)
        assert (name in leans) == (expected is not None)
        if expected is not None:
            one = leans[name]
            assert (one.titles, one.lean) == (len(titles), near(expected))
            assert one.mean == mean([plain.scores[title] for title in titles])
            assert one.clear == (abs(expected) >= 2 * 1.18 / math.sqrt(len(titles) + 30))

    for opinions, sign in ((found.above, 1), (found.below, -1)):
        differences = [difference for _, difference in plain.opinions(sign)]
        assert [one.difference for one in opinions] == pytest.approx(differences)
        for opinion in opinions:
            assert opinion.score == plain.scores[opinion.anime_id]
            assert opinion.difference == pytest.approx(opinion.score - opinion.expected)
            assert opinion.title == told.catalogue.title(opinion.anime_id)
    check_years(found, plain)


def check_counts(found: Profile, plain: Plain, user_list: UserList) -> None:
    scores, counts = list(plain.scores.values()), found.counts
    assert counts.entries == len(user_list)
    assert [counts.watching, counts.completed, counts.on_hold, counts.dropped, counts.plan_to_watch] == [
        sum(one.status is status for one in user_list.ratings) for status in Status
    ]
    assert (counts.scored, counts.compared) == (len(scores), len(plain.expected))
    assert counts.known == sum(one.anime_id not in {NEWER, NOWHERE} for one in user_list.ratings)
    assert found.mean == mean(scores)
    given = [scores.count(score) for score in range(1, 11)]
    assert [one.count for one in found.scores] == given
    assert [one.share for one in found.scores] == pytest.approx([count / max(1, len(scores)) for count in given])
    assert [one.everyone for one in found.scores] == pytest.approx(plain.everyone)
    assert (found.generosity.b_u if found.generosity else None) == (near(plain.b_u) if plain.expected else None)


def check_years(found: Profile, plain: Plain) -> None:
    """Each watched title is in one span."""
    dated = {one for one in plain.watched if plain.year(one)}
    assert found.undated == len(plain.watched) - len(dated)
    assert sum(span.watched for span in found.years) == len(dated)
    assert [span.first for span in found.years[1:]] == [span.last + 1 for span in found.years[:-1]]
    assert all(span.watched for span in (*found.years[:1], *found.years[-1:]))
    for span in found.years:
        assert span.first is None or span.first == span.last - 4
        within = {one for one in dated if (span.first or 0) <= plain.year(one) <= span.last}
        scored = [plain.scores[one] for one in within if one in plain.scores]
        assert (span.watched, span.scored, span.mean) == (len(within), len(scored), mean(scored))
        assert span.lean == near(plain.lean(within))


def rated(*pairs: tuple[int, int]) -> UserList:
    return UserList.of(Rating(anime_id, score) for anime_id, score in pairs)


@pytest.mark.parametrize(
    ("user_list", "note"),
    [
        (UserList(), "The list is empty"),
        (UserList(skipped=3), "Nothing on the list could be read"),
        (rated((1, 0), (2, 0)), "No title on the list has a score"),
        (rated((NOWHERE, 9), (NEWER, 3)), "No title that we know has a score"),
        (rated(*((one, 7) for one in range(1, 30))), "All scores that can be compared are the same"),
        (rated(*((one, 7) for one in range(1, 30)), (NOWHERE, 9)), "All scores that can be compared are the same"),
        (rated((1, 8)), "This is based on one scored title"),
        (rated((1, 8), (2, 6), (3, 9)), "This is based on 3 scored titles"),
        (rated(*((one, 5 + one % 4) for one in range(1, 30)), (NOWHERE, 9)), "1 scored title is new to the model"),
        (rated(*((one, 5 + one % 4) for one in range(1, 30))), ""),
    ],
)
def test_a_note_says_what_there_is_too_little_of(user_list: UserList, note: str, told: ModelBundle) -> None:
    found = profile(user_list, told)
    assert [one for one in found.notes if one.startswith(note)] or found.notes == () == tuple(note), found.notes
    if "same" in note or "one scored" in note:
        assert (found.genres, found.above, found.below) == ((), (), ())
        assert all(span.lean is None for span in found.years)


@pytest.mark.parametrize(
    ("b_u", "share", "compared", "words"),
    [
        (0.42, 0.714, 10, "0.4 points higher than other people do on average: more generously than 71%"),
        (-0.96, 0.134, 10, "1.0 point lower than other people do on average: more strictly than 87% of"),
        (5.0, 1.0, 10, "more generously than nearly everyone."),
        (-5.0, 0.0, 10, "more strictly than nearly everyone."),
        (0.06, 0.001, 10, "more generously than under 1% of them."),
        (0.04, 0.44, 10, "You seem to rate titles about the same as other people do on average."),
        (-0.04, 0.44, 10, "You seem to rate titles about the same as"),
        (0.01, 0.5, 1, "So far, you seem to rate titles about the same as"),
        # Of few scores no rank among people is made.
        (0.42, 0.714, 9, "So far, you seem to rate titles 0.4 points higher than other people do on average."),
    ],
)
def test_generosity_in_words(b_u: float, share: float, compared: int, words: str) -> None:
    assert words in generosity_in_words(b_u, share, compared)


def test_the_share_of_people_is_read_off_the_quantiles(told: ModelBundle) -> None:
    quantiles = told.model.manifest.people.b_u
    for scores in ((1, 2), (6, 7), (7, 8), (10, 9)):
        found = profile(rated(*((one, scores[one % 2]) for one in range(1, 60))), told).generosity
        assert found
        below = sum(quantile < found.b_u for quantile in quantiles)
        assert (below - 1) / 20 <= found.share <= min(1.0, below / 20) or below == 0 == found.share
