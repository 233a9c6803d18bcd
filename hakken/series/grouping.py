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
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from hakken.catalogue import Anime
from hakken.series.air_span import AirSpan, is_show
from hakken.series.disjoint_sets import DisjointSets
from hakken.series.relations import (
    FAIRLY_SURE,
    IN_ORDER,
    OTHER_IS_PART,
    OTHERWISE_RELATED,
    PART_OF_OTHER,
    RETELLINGS,
    Relation,
    parents,
)
from hakken.series.similarity import Closeness, TitleLink, genres_in_common, tags_in_common
from hakken.series.title_parts import ParsedTitle

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


class Groups(NamedTuple):
    """The groups of each anime, each by the id of a representative member.

    Attributes:
        certain: the part of its series that certainly belongs together.
        series: its series.
        story: its story.
        universe: its universe.
    """

    certain: Mapping[int, int]
    series: Mapping[int, int]
    story: Mapping[int, int]
    universe: Mapping[int, int]


def find_groups(
    anime: Mapping[int, Anime],
    titles: Mapping[int, ParsedTitle],
    relations: Collection[Relation],
    links: Iterable[TitleLink],
) -> Groups:
    """Group anime.

    Args:
        anime: by their ids.
        titles: their parsed titles.
        relations: in any order; may name anime that are not in `anime`, through which others are connected.
        links: by their titles.
    """
    grouping = _Grouping(anime, titles, relations, links)
    grouping.join_by_relations()
    grouping.join_by_titles(Closeness.SAME, Closeness.COUNTED)
    certain = grouping.series.roots(anime)
    grouping.join_by_titles(Closeness.BEGUN)
    grouping.join_by_titles(Closeness.LOOSE)
    grouping.join_of_one_name()
    series = grouping.series.roots(anime)
    wider = DisjointSets()
    for anime_id, root in series.items():
        wider.join(anime_id, root)
    grouping.join_stories(wider)
    story = wider.roots(anime)
    grouping.join_universes(wider)
    return Groups(certain, series, story, wider.roots(anime))


class _Grouping:
    """Series being joined, and what they are computed from."""

    def __init__(
        self,
        anime: Mapping[int, Anime],
        titles: Mapping[int, ParsedTitle],
        relations: Collection[Relation],
        links: Iterable[TitleLink],
    ) -> None:
        self._anime = anime
        self._relations = sorted({*relations}, key=_relation_order)
        self._titles = {anime_id: titles[anime_id] for anime_id, its in anime.items() if is_show(its)}
        self._links = sorted(map(self._with_beside, links), key=self._link_order)
        self._closely_linked: defaultdict[int, set[int]] = defaultdict(set)
        for link in self._links:
            if link.closeness < Closeness.LOOSE:
                self._closely_linked[link.one].add(link.other)
                self._closely_linked[link.other].add(link.one)
        self._linked_pairs = {pair for link in self._links for pair in ((link.one, link.other), (link.other, link.one))}
        self._linked = {anime_id for anime_id, _ in self._linked_pairs}
        self._joined: set[TitleLink] = set()
        sequels = [one for one in self._relations if one.word in IN_ORDER and self._is_sure(one)]
        self._related = {anime_id for one in relations for anime_id in (one.anime_id, one.related_id)}
        self._ordered = {anime_id for one in sequels for anime_id in (one.anime_id, one.related_id)}
        self.series = DisjointSets()

    def join_by_relations(self) -> None:
        """Join what relations put in one series, and separate what they put in several, and remakes."""
        series = self.series
        for one in self._relations:
            if one.separates:
                series.separate(one.anime_id, one.related_id)
        for one in sorted((one for one in self._relations if one.is_within_series), key=self._doubt):
            pair = (one.anime_id, one.related_id)
            if self._is_sure(one) or (self._is_likely(one) and self._allows(*pair)):
                series.join(*pair)
            elif one.word in IN_ORDER and self._are_shows(*pair) and series.root(pair[0]) != series.root(pair[1]):
                series.separate(*pair)
        for link in self._links:
            if self._is_remade(link) and series.root(link.one) != series.root(link.other):
                series.separate(link.one, link.other)

    def join_by_titles(self, *closeness: Closeness) -> None:
        """Join what is linked closely enough by titles and came out soon enough after each other."""
        spans = self._spans
        for link in (link for link in self._links if link.closeness in closeness):
            one, other = self.series.root(link.one), self.series.root(link.other)
            if one == other or self.series.are_separate(one, other):
                continue
            span, of_other = spans[one], spans[other]
            if self._have_shows(one, other) and not self._are_shows(link.one, link.other):
                continue  # a film named after one show does not join it with another
            if span.years_to(of_other) <= self._most_years(link, span, of_other):
                span.add(of_other)
                spans[self.series.join(one, other)] = span
                self._joined.add(link)

    @cached_property
    def _spans(self) -> dict[int, AirSpan]:
        """The span of each set, by its root: computed after joining by relations, then updated."""
        spans: dict[int, AirSpan] = {}
        for anime_id, its in self._anime.items():
            span = AirSpan(its, related=anime_id in self._related, ordered=anime_id in self._ordered)
            root = self.series.root(anime_id)
            if root in spans:
                spans[root].add(span)
            else:
                spans[root] = span
        return spans

    def join_of_one_name(self) -> None:
        """Join specials, films and the like to what has the same name by an inferred relation."""
        for one in self._relations:
            pair = (one.anime_id, one.related_id)
            if one.is_of_one_name and self._are_known(*pair) and not self._have_shows(*pair) and self._agrees(*pair):
                years = [year for anime_id in pair if (year := self._anime[anime_id].year)]
                if not self.series.are_separate(*pair) and (not years or max(years) - min(years) <= MAX_GAP):
                    self.series.join(*pair)

    def _agrees(self, one: int, other: int) -> bool:
        """Whether titles link the two, or link what is no show of the two to nothing."""
        return (one, other) in self._linked_pairs or self._linked.isdisjoint({one, other} - self._titles.keys())

    def join_stories(self, wider: DisjointSets) -> None:
        """Join retellings."""
        for one in self._relations:
            pair = (one.anime_id, one.related_id)
            if one.word in RETELLINGS or (one.is_of_one_name and self._are_shows(*pair)):
                wider.join(*pair)
        for link in self._links:
            pair = (link.one, link.other)
            is_close = link.closeness < Closeness.LOOSE and self._are_shows(*pair)
            if self._is_remade(link) or (is_close and tags_in_common(*map(self._anime.__getitem__, pair)) >= SAME_TAGS):
                wider.join(*pair)

    def join_universes(self, wider: DisjointSets) -> None:
        """Join what is directly related otherwise: a title that two universes share does not join them."""
        known = [one for one in self._relations if self._are_known(one.anime_id, one.related_id)]
        between = {child for child, of in parents(known).items() if len({self.series.root(one) for one in of}) > 1}
        between |= {anime_id for anime_id, its in self._anime.items() if its.type in SHARED_TYPES}
        pairs = [(one.anime_id, one.related_id) for one in known if self._is_of_universe(one)]
        for pair in pairs + [(link.one, link.other) for link in self._links if link not in self._joined]:
            if all(anime_id not in between or len(wider.members(anime_id)) == 1 for anime_id in pair):
                wider.join(*pair)

    def _is_of_universe(self, relation: Relation) -> bool:
        """Whether it means one universe; relations of other kinds may be crossovers, unless the titles are linked."""
        if relation.word == "other":
            return relation.is_dependable or (relation.anime_id, relation.related_id) in self._linked_pairs
        return relation.word in OTHERWISE_RELATED or relation.word in PART_OF_OTHER | OTHER_IS_PART

    def _with_beside(self, link: TitleLink) -> TitleLink:
        """The link, marked as `BESIDE` where it is between a show and a spin-off."""
        pair = (link.one, link.other)
        if not self._are_shows(*pair):
            return link
        one, other = (SPIN_OFF_WORDS.isdisjoint(self._titles[anime_id].words) for anime_id in pair)
        spin_off = link.closeness is Closeness.BEGUN and one != other
        counted = link.closeness is Closeness.COUNTED and self._skips_numbers(*pair)
        return link._replace(closeness=Closeness.BESIDE) if spin_off or counted else link

    def _skips_numbers(self, one: int, other: int) -> bool:
        """Whether too many numbers are missing between two shows."""
        first, second = self._titles[one].number, self._titles[other].number
        return bool(first and second and abs(first - second) > MAX_MISSING + 1)

    def _link_order(self, link: TitleLink) -> tuple[int, int, int, int]:
        """Sort key: closest first; of equally close ones, those with the shortest gap."""
        one, other = self._anime[link.one].year, self._anime[link.other].year
        return link.closeness, abs(one - other) if one and other else MAX_GAP, link.one, link.other

    def _doubt(self, relation: Relation) -> tuple[bool, bool, float, tuple[int, str, int]]:
        """Sort key: surest first."""
        linked = relation.related_id in self._closely_linked.get(relation.anime_id, ())
        confidence = 1.0 if relation.confidence is None else relation.confidence
        return not self._is_sure(relation), not linked, -confidence, relation[:3]

    def _is_sure(self, relation: Relation) -> bool:
        """Whether it certainly joins a series; a sequel that was inferred by its number alone may be wrong."""
        pair = (relation.anime_id, relation.related_id)
        if relation.word not in IN_ORDER:
            # A site may call another show a side story: "Railgun" of "Index".
            two_shows = relation.confidence is None and all(
                anime_id in self._anime and self._anime[anime_id].type == "TV" for anime_id in pair
            )
            is_fairly_sure = relation.confidence is None or relation.confidence >= FAIRLY_SURE
            return relation.is_within_series and is_fairly_sure and not two_shows
        return relation.is_dependable and not (
            relation.confidence and self._are_shows(*pair) and self._skips_numbers(*pair)
        )

    def _is_likely(self, relation: Relation) -> bool:
        """Whether it is more likely true than not, by the genres of the two."""
        pair = (relation.anime_id, relation.related_id)
        if relation.word not in IN_ORDER or not self._are_shows(*pair):
            return True
        common = genres_in_common(*(self._anime[anime_id] for anime_id in pair))
        return common is None or common >= SAME_GENRES

    def _allows(self, one: int, other: int) -> bool:
        """Whether the sets of two may be joined: where both hold a show, only if the two are shows linked by titles."""
        if self.series.are_separate(one, other):
            return False
        return not self._have_shows(one, other) or (
            self._are_shows(one, other) and other in self._closely_linked.get(one, ())
        )

    def _have_shows(self, *anime_ids: int) -> bool:
        """Whether the set of each holds a show."""
        return all(not self._titles.keys().isdisjoint(self.series.members(anime_id)) for anime_id in anime_ids)

    def _is_remade(self, link: TitleLink) -> bool:
        """Whether of two shows with one title, without markers, one came years after the other."""
        if link.closeness > Closeness.COUNTED or not self._are_shows(link.one, link.other):
            return False
        if link.closeness is Closeness.COUNTED and any(any(self._titles[one].ends) for one in (link.one, link.other)):
            return False
        one, other = (
            AirSpan(self._anime[anime_id], related=False, ordered=False) for anime_id in (link.one, link.other)
        )
        return one.years_to(other) > (REMADE_AFTER if link.closeness is Closeness.SAME else MAX_GAP_COUNTED)

    def _most_years(self, link: TitleLink, *spans: AirSpan) -> int:
        """Most years between what a link joins; -1 if it must not."""
        if link.closeness <= Closeness.COUNTED:
            return MAX_GAP_COUNTED
        related = any(span.related for span in spans)
        if link.closeness is Closeness.LOOSE:
            gap = MAX_GAP_UNKNOWN if any(span.has_show for span in spans) else MAX_GAP_OF_FILMS
            one_studio = not {*self._anime[link.one].studios}.isdisjoint(self._anime[link.other].studios)
            return gap if one_studio and not related else -1
        if not self._are_shows(link.one, link.other):
            return MAX_GAP
        if any(span.ordered for span in spans):
            return -1  # a sequel would be a known relation
        common = genres_in_common(self._anime[link.one], self._anime[link.other])
        gap = next((years for least, years in MAX_GAP_OF_SHOWS if common and common >= least), -1)
        return MAX_GAP_UNKNOWN if common is None else min(gap, MAX_GAP_UNKNOWN) if related else gap

    def _are_known(self, *anime_ids: int) -> bool:
        return all(anime_id in self._anime for anime_id in anime_ids)

    def _are_shows(self, *anime_ids: int) -> bool:
        return all(anime_id in self._titles for anime_id in anime_ids)


def _relation_order(relation: Relation) -> tuple[int, str, int, float]:
    """Sort key, which makes the result independent of the order given; what a site tells comes first."""
    return relation.anime_id, relation.kind, relation.related_id, -(relation.confidence or 2.0)
