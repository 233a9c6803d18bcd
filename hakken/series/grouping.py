"""Grouping anime: relations decide for certain, titles by likelihood.

Three kinds of groups, each within the next:

- a *series* is what one would call one show: its seasons, films and specials;
- a *story* is a series and retellings of the same: remakes, and what a site calls alternative versions;
- a *universe* is what is related otherwise: spin-offs, other shows under one name, such as all of Gundam.

Relations come first. A sequel, side story or summary belongs to the series; what a site calls anything else does not,
and keeps titles from joining the two. Then titles: two shows are joined only where one's title is the other's with a
number, or has all of it as a prefix and the two are similar; a film, OVA or special joins what is nearest in time.

The thresholds were tuned on well-known series of 2000 to 2026 (`tests/unit/series_pairs.csv`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Self

from hakken.series.disjoint_sets import DisjointSets
from hakken.series.relations import DEPENDABLE, FAIRLY_SURE, IN_ORDER, OTHERWISE_RELATED, RETELLINGS, Relation
from hakken.series.similarity import AnimeTitles, Closeness, Pair, genres_in_common, tags_in_common
from hakken.series.title_links import title_links

SPIN_OFF_WORDS = frozenset(("gaiden", "alternative", "alternate", "vigilante", "vigilantes", "generations"))
"""Words of a title that mark a spin-off of the show that it names."""
MAX_GAP, MAX_GAP_COUNTED = 5, 15
"""Most years between what titles join; more where the title has a number."""
MAX_GAP_OF_SHOWS = ((0.85, 8), (0.7, 5), (0.5, 3))
"""Least share of genres in common → most years between two shows of which one has the other's title as a prefix. Of
well-known ones nine of ten are of one series where the genres are the same, and one of four where hardly any are."""
MAX_GAP_UNKNOWN = 3
"""The same, where genres are unknown, or relations are known and none of them is a sequel."""
MAX_GAP_OF_FILMS = 5
"""Most years between two films of a studio that share some words, where no relation is known."""
SAME_GENRES = 0.85
"""Share of genres in common from which on a doubtful sequel is accepted."""
MAX_MISSING = 2
"""Numbers that may be missing between two seasons: "Macross 7" is no seventh season."""
REMADE_AFTER = 3
"""Years from the end of a show after which one of the same title is a remake."""
SAME_TAGS = 0.6
"""Similarity of tags from which on a show of the same name, outside the series, is a remake."""
SHARED_TYPES = frozenset(("Special", "TV Special", "Music", "CM", "PV"))
"""Types of anime that may belong to two universes."""
EPISODES_A_YEAR, ENDLESS = 50, 30
"""Episodes that a show airs in a year, and years for which a show of unknown length may run."""

Groups = Mapping[int, int]
"""The group of each anime, by the id of a representative member."""


class AirSpan:
    """The years in which a set of anime's shows ran, or else its other anime came out; and what relations are known.

    Args:
        one: the first of the set.
        related: whether any relation of it is known.
        ordered: whether it certainly has, or is, a sequel.
    """

    def __init__(self, one: AnimeTitles, *, related: bool = False, ordered: bool = False) -> None:
        self.has_show, self.related, self.ordered = one.is_show, related, ordered
        self.first = self.last = one.anime.year
        if self.last and one.is_show:
            episodes = one.anime.episodes
            self.last += ENDLESS if episodes is None else episodes // EPISODES_A_YEAR

    def add(self, other: Self) -> None:
        """Extend the span by that of another set."""
        self.related |= other.related
        self.ordered |= other.ordered
        spans = [(one.first, one.last) for one in (self, other) if one.has_show or not self.has_show | other.has_show]
        self.has_show |= other.has_show
        self.first = min((first for first, _ in spans if first), default=None)
        self.last = max((last for _, last in spans if last), default=None)

    def years_to(self, other: Self) -> int:
        """Years between two spans, 0 where they overlap or one has no year."""
        if not (self.first and self.last and other.first and other.last):
            return 0
        return max(0, self.first - other.last, other.first - self.last)


class Grouping:
    """Joins series, then stories and universes.

    Args:
        anime: by their ids.
        relations: in any order; may name anime that are not in `anime`, through which others are connected.
    """

    def __init__(self, anime: Mapping[int, AnimeTitles], relations: Iterable[Relation]) -> None:
        self._anime = anime
        # In an order that does not depend on the one given; what a site tells comes first.
        self._relations = sorted({*relations}, key=lambda one: (*one[:3], -(one.confidence or 2.0)))
        self._shows = {anime_id: its.titles[0] for anime_id, its in anime.items() if its.is_show}
        links = title_links(anime.values())
        marked = ((pair, self._or_beside(pair, closeness)) for pair, closeness in links.items())
        self._links = dict(sorted(marked, key=self._link_order))
        self._linked = {anime_id for pair in self._links for anime_id in pair}
        self._joined: set[Pair] = set()
        self._series = DisjointSets()

    def groups(self) -> tuple[Groups, Groups, Groups, Groups]:
        """The part of its series that certainly belongs together, the series, the story and the universe of each."""
        series, anime = self._series, self._anime
        spans = self._join_by_relations()
        self._join_by_titles(spans, Closeness.SAME, Closeness.COUNTED)
        certain = series.roots(anime)
        self._join_by_titles(spans, Closeness.BEGUN)
        self._join_by_titles(spans, Closeness.LOOSE)
        self._join_of_one_name()
        wider = DisjointSets()
        for pair in series.roots(anime).items():
            wider.join(*pair)
        self._join_stories(wider)
        story = wider.roots(anime)
        self._join_universes(wider)
        return certain, series.roots(anime), story, wider.roots(anime)

    def _join_by_relations(self) -> dict[int, AirSpan]:
        """Join what relations put in one series, and separate what they put in several, and remakes.

        Returns:
            The span of each set, by its root.
        """
        series = self._series
        for one in self._relations:
            if one.separates:
                series.separate(*one.pair)
        for one in sorted((one for one in self._relations if one.is_within_series), key=self._doubt):
            if self._is_sure(one) or self._allows(one):
                series.join(*one.pair)
            elif one.word in IN_ORDER and self._are_shows(*one.pair):
                series.separate(*one.pair)
        for pair in filter(self._is_remade, self._links):
            series.separate(*pair)
        related = {anime_id for one in self._relations for anime_id in one.pair}
        sequels = (one for one in self._relations if one.word in IN_ORDER and self._is_sure(one))
        ordered = {anime_id for one in sequels for anime_id in one.pair}
        spans: dict[int, AirSpan] = {}
        for anime_id, its in self._anime.items():
            span = AirSpan(its, related=anime_id in related, ordered=anime_id in ordered)
            if (known := spans.setdefault(series.root(anime_id), span)) is not span:
                known.add(span)
        return spans

    def _join_by_titles(self, spans: dict[int, AirSpan], *chosen: Closeness) -> None:
        """Join what is linked closely enough by titles and came out soon enough after each other; updates `spans`."""
        for pair in [pair for pair, closeness in self._links.items() if closeness in chosen]:
            one, other = map(self._series.root, pair)
            if one == other or self._series.are_separate(one, other):
                continue
            if self._have_shows(one, other) and not self._are_shows(*pair):
                continue  # a film named after one show does not join it with another
            span, of_other = spans[one], spans[other]
            if span.years_to(of_other) <= self._most_years(pair, span, of_other):
                span.add(of_other)
                spans[self._series.join(one, other)] = span
                self._joined.add(pair)

    def _join_of_one_name(self) -> None:
        """Join specials, films and the like to what has the same name by an inferred relation."""
        for pair in (one.pair for one in self._relations if one.is_of_one_name and self._are_known(*one.pair)):
            # Titles link the two, or link what is no show of the two to nothing.
            linked = self._closeness(*pair) < Closeness.NONE or self._linked.isdisjoint({*pair} - self._shows.keys())
            years = [year for anime_id in pair if (year := self._anime[anime_id].anime.year)]
            soon = not years or max(years) - min(years) <= MAX_GAP
            if linked and soon and not self._have_shows(*pair) and not self._series.are_separate(*pair):
                self._series.join(*pair)

    def _join_stories(self, wider: DisjointSets) -> None:
        """Join retellings."""
        for one in self._relations:
            if one.word in RETELLINGS or (one.is_of_one_name and self._are_shows(*one.pair)):
                wider.join(*one.pair)
        for pair, closeness in self._links.items():
            close = closeness < Closeness.LOOSE and self._are_shows(*pair)
            if close and (self._is_remade(pair) or tags_in_common(*map(self._anime.__getitem__, pair)) >= SAME_TAGS):
                wider.join(*pair)

    def _join_universes(self, wider: DisjointSets) -> None:
        """Join what is directly related otherwise: a title that two universes share does not join them."""
        known = [one for one in self._relations if self._are_known(*one.pair)]
        wholes_of = defaultdict(set)
        for whole, part in filter(None, (one.whole_and_part for one in known)):
            wholes_of[part].add(self._series.root(whole))
        between = {part for part, wholes in wholes_of.items() if len(wholes) > 1}
        between |= {anime_id for anime_id, its in self._anime.items() if its.anime.type in SHARED_TYPES}
        related = [one.pair for one in known if self._is_of_universe(one)]
        for pair in related + [pair for pair in self._links if pair not in self._joined]:
            if all(anime_id not in between or len(wider.members(anime_id)) == 1 for anime_id in pair):
                wider.join(*pair)

    def _is_of_universe(self, relation: Relation) -> bool:
        """Whether it means one universe; relations of other kinds may be crossovers, unless the titles are linked."""
        if relation.word == "other":
            return relation.certainty >= DEPENDABLE or self._closeness(*relation.pair) < Closeness.NONE
        return relation.word in OTHERWISE_RELATED or relation.whole_and_part is not None

    def _closeness(self, one: int, other: int) -> Closeness:
        return self._links.get((min(one, other), max(one, other)), Closeness.NONE)

    def _or_beside(self, pair: Pair, closeness: Closeness) -> Closeness:
        """How close a link is, or `BESIDE` where it is between a show and a spin-off."""
        if not self._are_shows(*pair):
            return closeness
        one, other = (SPIN_OFF_WORDS.isdisjoint(self._shows[anime_id].words) for anime_id in pair)
        spin_off = closeness is Closeness.BEGUN and one != other
        counted = closeness is Closeness.COUNTED and self._skips_numbers(*pair)
        return Closeness.BESIDE if spin_off or counted else closeness

    def _skips_numbers(self, one: int, other: int) -> bool:
        """Whether too many numbers are missing between two shows."""
        first, second = self._shows[one].number, self._shows[other].number
        return bool(first and second and abs(first - second) > MAX_MISSING + 1)

    def _link_order(self, link: tuple[Pair, Closeness]) -> tuple[int, int, Pair]:
        """Sort key: closest first; of equally close ones, those with the shortest gap."""
        pair, closeness = link
        one, other = (self._anime[anime_id].anime.year for anime_id in pair)
        return closeness, abs(one - other) if one and other else MAX_GAP, pair

    def _doubt(self, relation: Relation) -> tuple[bool, bool, float, tuple[int, str, int]]:
        """Sort key: surest first."""
        linked = self._closeness(*relation.pair) < Closeness.LOOSE
        return not self._is_sure(relation), not linked, -relation.certainty, relation[:3]

    def _is_sure(self, relation: Relation) -> bool:
        """Whether it certainly joins a series; a sequel that was inferred by its number alone may be wrong."""
        told, pair = relation.confidence is None, relation.pair
        if relation.word in IN_ORDER:
            by_number = not told and self._are_shows(*pair) and self._skips_numbers(*pair)
            return relation.certainty >= DEPENDABLE and not by_number
        # A site may call another show a side story: "Railgun" of "Index".
        two_shows = told and self._are_known(*pair) and all(self._anime[one].anime.type == "TV" for one in pair)
        return relation.certainty >= FAIRLY_SURE and not two_shows

    def _allows(self, relation: Relation) -> bool:
        """Whether it may join two sets: of a sequel, the genres must be alike; of shows, also the titles."""
        pair, shows = relation.pair, self._are_shows(*relation.pair)
        if relation.word in IN_ORDER and shows:
            common = genres_in_common(*map(self._anime.__getitem__, pair))
            if common is not None and common < SAME_GENRES:
                return False
        linked = shows and self._closeness(*pair) < Closeness.LOOSE
        return not self._series.are_separate(*pair) and (linked or not self._have_shows(*pair))

    def _is_remade(self, pair: Pair) -> bool:
        """Whether of two shows with one title, without markers, one came years after the other."""
        closeness = self._links[pair]
        if closeness > Closeness.COUNTED or not self._are_shows(*pair):
            return False
        if closeness is Closeness.COUNTED and any(any(self._shows[anime_id].ends) for anime_id in pair):
            return False
        one, other = (AirSpan(self._anime[anime_id]) for anime_id in pair)
        return one.years_to(other) > (REMADE_AFTER if closeness is Closeness.SAME else MAX_GAP_COUNTED)

    def _most_years(self, pair: Pair, *spans: AirSpan) -> int:
        """Most years between what a link joins; -1 if it must not."""
        closeness, (one, other) = self._links[pair], map(self._anime.__getitem__, pair)
        if closeness <= Closeness.COUNTED:
            return MAX_GAP_COUNTED
        related = any(span.related for span in spans)
        if closeness is Closeness.LOOSE:
            gap = MAX_GAP_UNKNOWN if any(span.has_show for span in spans) else MAX_GAP_OF_FILMS
            return -1 if related or one.studios.isdisjoint(other.studios) else gap
        if not self._are_shows(*pair):
            return MAX_GAP
        if any(span.ordered for span in spans):
            return -1  # a sequel would be a known relation
        common = genres_in_common(one, other)
        gap = next((years for least, years in MAX_GAP_OF_SHOWS if common and common >= least), -1)
        return MAX_GAP_UNKNOWN if common is None else min(gap, MAX_GAP_UNKNOWN) if related else gap

    def _have_shows(self, *anime_ids: int) -> bool:
        """Whether the set of each holds a show."""
        return not any(self._shows.keys().isdisjoint(self._series.members(anime_id)) for anime_id in anime_ids)

    def _are_known(self, *anime_ids: int) -> bool:
        return self._anime.keys() >= {*anime_ids}

    def _are_shows(self, *anime_ids: int) -> bool:
        return self._shows.keys() >= {*anime_ids}
