"""Who belongs together: what relations say for certain, and what titles make likely.

Three find_groups, each within the next:

- a *series* is what one would call one show: its seasons, films and specials;
- a *story* is a series and other tellings of the same: remakes, and what a site calls alternative versions;
- a *universe* is what is related otherwise: spin-offs, other shows under one name, such as all of Gundam.

Relations go first. A sequel, side story or summary is of the series; what a site calls anything else is not, and keeps
titles from joining the two. Then titles: of two shows only where one's title is the other's with a number, or begins
with the whole of it and is like it; of a film, OVA or special, what it is nearest to in time.

The figures are those with which well-known series of 2000 to 2026 came out right (`tests/unit/series_pairs.csv`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from hakken.catalogue import Anime
from hakken.series.air_span import AirSpan, is_show
from hakken.series.disjoint_sets import DisjointSets
from hakken.series.relations import (
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

SIDEWAYS = frozenset(("gaiden", "alternative", "alternate", "vigilante", "vigilantes", "generations"))
"""Words of a title that tell of another show beside the one that it names."""
SOON, SOON_COUNTED = 5, 15
"""Years in which what titles join to a show follows it; more where it is counted on from it."""
SOON_OF_SHOWS = ((0.85, 8), (0.7, 5), (0.5, 3))
"""Genres in common, and years in which a show then goes on with one whose whole title it begins with. Of well-known
ones nine of ten do where the genres are the same, and one of four where hardly any are."""
SOON_OF_UNKNOWN = 3
"""The same, where genres are unknown, or relations are known and none of them is a sequel."""
SOON_OF_FILMS = 5
"""Years in which, where no relation is known, one film of a studio goes on with another that shares some words."""
SAME_GENRES = 0.85
"""Share of genres in common from which on a doubtful sequel is one."""
MOST_LEFT_OUT = 2
"""Numbers that may be missing between two seasons: "Macross 7" is none."""
REMADE_AFTER = 3
"""Years from the end of a show after which one of the same title tells it anew."""
SAME_TAGS = 0.6
"""Likeness of tags from which on a show of the same name, and not of the series, tells the same anew."""
BESIDE = frozenset(("Special", "TV Special", "Music", "CM", "PV"))
"""Types of what may be of two universes."""


class Groups(NamedTuple):
    """What belongs together: an id of each anime's circle, the same for all that are in it.

    Attributes:
        certain: of the part of its series that is certainly one.
        series: of its series.
        story: of its story.
        universe: of its universe.
    """

    certain: Mapping[int, int]
    series: Mapping[int, int]
    story: Mapping[int, int]
    universe: Mapping[int, int]


def find_groups(
    anime: Mapping[int, Anime],
    titles: Mapping[int, ParsedTitle],
    relations: Collection[Relation],
    title_links: Iterable[TitleLink],
) -> Groups:
    """Find what belongs together.

    Args:
        anime: by their ids.
        titles: theirs, taken apart.
        relations: what is known of how anime are related, in any order; may name others, through which they are.
        title_links: what their titles say.
    """
    grouping = _Grouping(anime, titles, relations, title_links)
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
    """Series on the way, and what they are made from."""

    def __init__(
        self,
        anime: Mapping[int, Anime],
        titles: Mapping[int, ParsedTitle],
        relations: Collection[Relation],
        title_links: Iterable[TitleLink],
    ) -> None:
        self._anime = anime
        self._relations = sorted({*relations}, key=_place)
        self._titles = {anime_id: titles[anime_id] for anime_id, its in anime.items() if is_show(its)}
        self._ties = sorted(map(self._weighed, title_links), key=self._place)
        self._tied: defaultdict[int, set[int]] = defaultdict(set)
        for tie in self._ties:
            if tie.closeness < Closeness.LOOSE:
                self._tied[tie.one].add(tie.other)
                self._tied[tie.other].add(tie.one)
        self._named_alike = {pair for tie in self._ties for pair in ((tie.one, tie.other), (tie.other, tie.one))}
        self._named = {anime_id for anime_id, _ in self._named_alike}
        self._joined: set[TitleLink] = set()
        sequels = [one for one in self._relations if one.word in IN_ORDER and self._is_sure(one)]
        self._related = {anime_id for one in relations for anime_id in (one.anime_id, one.related_id)}
        self._ordered = {anime_id for one in sequels for anime_id in (one.anime_id, one.related_id)}
        self.series = DisjointSets()

    def join_by_relations(self) -> None:
        """Join what relations say is of one series, and keep apart what they say is not, or tells it anew."""
        series = self.series
        for one in self._relations:
            if one.keeps_apart:
                series.part(one.anime_id, one.related_id)
        for one in sorted((one for one in self._relations if one.is_within_series), key=self._doubt):
            pair = (one.anime_id, one.related_id)
            if self._is_sure(one) or (self._is_likely(one) and self._allows(*pair)):
                series.join(*pair)
            elif one.word in IN_ORDER and self._are_shows(*pair) and series.root(pair[0]) != series.root(pair[1]):
                series.part(*pair)
        for tie in self._ties:
            if self._is_remade(tie) and series.root(tie.one) != series.root(tie.other):
                series.part(tie.one, tie.other)

    def join_by_titles(self, *closeness: Closeness) -> None:
        """Join what has so much of its titles in common and came out soon enough after each other."""
        spans = self._spans
        for tie in (tie for tie in self._ties if tie.closeness in closeness):
            one, other = self.series.root(tie.one), self.series.root(tie.other)
            if one == other or self.series.are_apart(one, other):
                continue
            span, of_other = spans[one], spans[other]
            if self._have_shows(one, other) and not self._are_shows(tie.one, tie.other):
                continue  # a film that names one show does not make it one with another
            if span.years_to(of_other) <= self._most_years(tie, span, of_other):
                span.add(of_other)
                spans[self.series.join(one, other)] = span
                self._joined.add(tie)

    @cached_property
    def _spans(self) -> dict[int, AirSpan]:
        """Of each set, by its root; made when relations have joined what they join, and kept up by titles."""
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
        """Join specials, films and the like to what has the same name, as far as it was inferred."""
        for one in self._relations:
            pair = (one.anime_id, one.related_id)
            if one.is_of_one_name and self._are_known(*pair) and not self._have_shows(*pair) and self._agrees(*pair):
                years = [year for anime_id in pair if (year := self._anime[anime_id].year)]
                if not self.series.are_apart(*pair) and (not years or max(years) - min(years) <= SOON):
                    self.series.join(*pair)

    def _agrees(self, one: int, other: int) -> bool:
        """Whether no title title_links what is no show of the two to something else instead."""
        return (one, other) in self._named_alike or self._named.isdisjoint({one, other} - self._titles.keys())

    def join_stories(self, wider: DisjointSets) -> None:
        """Join other tellings."""
        for one in self._relations:
            pair = (one.anime_id, one.related_id)
            if one.word in RETELLINGS or (one.is_of_one_name and self._are_shows(*pair)):
                wider.join(*pair)
        for tie in self._ties:
            if self._is_remade(tie) or (tie.closeness < Closeness.LOOSE and self._tells_anew(tie)):
                wider.join(tie.one, tie.other)

    def join_universes(self, wider: DisjointSets) -> None:
        """Join what is related otherwise, directly: what two of them meet in does not make them one."""
        known = [one for one in self._relations if self._are_known(one.anime_id, one.related_id)]
        between = {child for child, of in parents(known).items() if len({self.series.root(one) for one in of}) > 1}
        between |= {anime_id for anime_id, its in self._anime.items() if its.type in BESIDE}
        pairs = [(one.anime_id, one.related_id) for one in known if self._is_of_universe(one)]
        for pair in pairs + [(tie.one, tie.other) for tie in self._ties if tie not in self._joined]:
            if all(anime_id not in between or len(wider.members(anime_id)) == 1 for anime_id in pair):
                wider.join(*pair)

    def _is_of_universe(self, relation: Relation) -> bool:
        """Whether it says that two are of one universe; a crossover is something else as well, with another name."""
        if relation.word == "other":
            return relation.is_dependable or (relation.anime_id, relation.related_id) in self._named_alike
        return relation.word in OTHERWISE_RELATED or relation.word in PART_OF_OTHER | OTHER_IS_PART

    def _weighed(self, tie: TitleLink) -> TitleLink:
        """The same tie, and whether it is between a show and another beside it."""
        return tie._replace(closeness=Closeness.BESIDE) if self._is_beside(tie) else tie

    def _is_beside(self, tie: TitleLink) -> bool:
        if not self._are_shows(tie.one, tie.other):
            return False
        one, other = self._titles[tie.one], self._titles[tie.other]
        if tie.closeness is Closeness.COUNTED:
            return self._skips(tie.one, tie.other)
        sideways = [bool(SIDEWAYS & {*title.words}) for title in (one, other)]
        return tie.closeness is Closeness.BEGUN and sideways[0] != sideways[1]

    def _skips(self, one: int, other: int) -> bool:
        """Whether of two shows too many numbers would be missing between."""
        first, second = self._titles[one].number, self._titles[other].number
        return bool(first and second and abs(first - second) > MOST_LEFT_OUT + 1)

    def _place(self, tie: TitleLink) -> tuple[int, int, int, int]:
        """The closest first, and of equally close ones those that came soonest after each other."""
        one, other = self._anime[tie.one].year, self._anime[tie.other].year
        return tie.closeness, abs(one - other) if one and other else SOON, tie.one, tie.other

    def _doubt(self, relation: Relation) -> tuple[bool, bool, float, tuple[int, str, int]]:
        """What relations are looked at by, the surest first."""
        tied = relation.related_id in self._tied.get(relation.anime_id, ())
        confidence = 1.0 if relation.confidence is None else relation.confidence
        return not self._is_sure(relation), not tied, -confidence, relation[:3]

    def _is_sure(self, relation: Relation) -> bool:
        """Whether it is a sequel without doubt; one that was inferred by its number alone may be none."""
        pair = (relation.anime_id, relation.related_id)
        if relation.word not in IN_ORDER:
            # What a site calls a side story may be another show: "Railgun" beside "Index".
            two_shows = relation.confidence is None and all(
                anime_id in self._anime and self._anime[anime_id].type == "TV" for anime_id in pair
            )
            return relation.is_within_series and relation.is_fairly_sure and not two_shows
        return relation.is_dependable and not (relation.confidence and self._are_shows(*pair) and self._skips(*pair))

    def _is_likely(self, relation: Relation) -> bool:
        """Whether it is more likely than not, for all that is known of the two."""
        pair = (relation.anime_id, relation.related_id)
        if relation.word not in IN_ORDER or not self._are_shows(*pair):
            return True
        common = genres_in_common(*(self._anime[anime_id] for anime_id in pair))
        return common is None or common >= SAME_GENRES

    def _allows(self, one: int, other: int) -> bool:
        """Whether the sets of two may be one: where each holds a show, only if the two are shows tied by titles."""
        if self.series.are_apart(one, other):
            return False
        return not self._have_shows(one, other) or (self._are_shows(one, other) and other in self._tied.get(one, ()))

    def _have_shows(self, *anime_ids: int) -> bool:
        """Whether there is a show in the set of each."""
        return all(not self._titles.keys().isdisjoint(self.series.members(anime_id)) for anime_id in anime_ids)

    def _is_remade(self, tie: TitleLink) -> bool:
        """Whether of two shows of one title, without a number or the like, one came years after the other."""
        if tie.closeness > Closeness.COUNTED or not self._are_shows(tie.one, tie.other):
            return False
        if tie.closeness is Closeness.COUNTED and any(any(self._titles[one].ends) for one in (tie.one, tie.other)):
            return False
        one, other = (AirSpan(self._anime[anime_id], related=False, ordered=False) for anime_id in (tie.one, tie.other))
        return one.years_to(other) > (REMADE_AFTER if tie.closeness is Closeness.SAME else SOON_COUNTED)

    def _tells_anew(self, tie: TitleLink) -> bool:
        """Whether two shows of one name are so alike that they tell the same."""
        return (
            self._are_shows(tie.one, tie.other)
            and tags_in_common(self._anime[tie.one], self._anime[tie.other]) >= SAME_TAGS
        )

    def _most_years(self, tie: TitleLink, *spans: AirSpan) -> int:
        """Years that may lie between what a tie joins; -1 if it may not."""
        if tie.closeness <= Closeness.COUNTED:
            return SOON_COUNTED
        related = any(span.related for span in spans)
        if tie.closeness is Closeness.LOOSE:
            soon = SOON_OF_UNKNOWN if any(span.has_show for span in spans) else SOON_OF_FILMS
            one_studio = not {*self._anime[tie.one].studios}.isdisjoint(self._anime[tie.other].studios)
            return soon if one_studio and not related else -1
        if not self._are_shows(tie.one, tie.other):
            return SOON
        if any(span.ordered for span in spans):
            return -1  # a sequel would be known
        common = genres_in_common(self._anime[tie.one], self._anime[tie.other])
        soon = next((years for least, years in SOON_OF_SHOWS if common and common >= least), -1)
        return SOON_OF_UNKNOWN if common is None else min(soon, SOON_OF_UNKNOWN) if related else soon

    def _are_known(self, *anime_ids: int) -> bool:
        return all(anime_id in self._anime for anime_id in anime_ids)

    def _are_shows(self, *anime_ids: int) -> bool:
        return all(anime_id in self._titles for anime_id in anime_ids)


def _place(relation: Relation) -> tuple[int, str, int, float]:
    """Where a relation comes among all, in whatever order they were given; what a site says, first."""
    return relation.anime_id, relation.kind, relation.related_id, -(relation.confidence or 2.0)
