"""Who belongs together: what relations say for certain, and what titles make likely.

Three circles, each within the next:

- a *series* is what one would call one show: its seasons, films and specials;
- a *story* is a series and other tellings of the same: remakes, and what a site calls alternative versions;
- a *universe* is what is related otherwise: spin-offs, other shows under one name, such as all of Gundam.

Relations go first. A sequel, side story or summary is of the series; what a site calls anything else is not, and keeps
titles from joining the two. Then titles: of two shows only where one's title is the other's with a number, or begins
with the whole of it soon after; of a film, OVA or special, what it is nearest to in time.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from hakken.catalogue import Anime
from hakken.series.likeness import Closeness, Tie
from hakken.series.titles import Title

IN_ORDER = frozenset(("sequel", "prequel"))
PART_OF_OTHER = frozenset(("parentstory", "parent", "fullstory"))
OTHER_IS_PART = frozenset(("sidestory", "summary", "compilation"))
RETELLINGS = frozenset(("alternativeversion", "alternative"))
SUMMARIES = frozenset(("summary", "compilation"))
OTHERWISE_RELATED = frozenset(("spinoff", "alternativesetting", "other"))
DEPENDABLE = 0.8
"""Confidence from which on an inferred sequel is one, whatever else is said."""
SIDEWAYS = frozenset(("gaiden", "alternative", "alternate", "vigilante", "vigilantes", "generations"))
"""Words of a title that tell of another show beside the one that it names."""
SOON, SOON_OF_RELATED, SOON_NUMBERED = 5, 3, 12
"""Years in which a show, film or special that titles join to another follows it; fewer where relations of both are
known, yet none between them; more where it is counted on from it."""
REMADE_AFTER = 4
"""Years after which a show of exactly the same title is told anew."""
EPISODES_A_YEAR, ENDLESS = 50, 30
"""Episodes in which a year goes by, and years for which a show of unknown length may run."""
ONE_NAME = 0.35
"""Confidence from which on something else is at least of the same name."""
LONG_ENOUGH = 8
"""Episodes from which on what came out on the web is a show."""


class Relation(NamedTuple):
    """That `related_id` is a sequel, side story, … of `anime_id`.

    Attributes:
        anime_id: whose relation it is.
        kind: in a site's words, such as "Side story" or "SPIN_OFF".
        related_id: to whom.
        confidence: how sure that is, 0-1, where it was inferred.
    """

    anime_id: int
    kind: str
    related_id: int
    confidence: float | None = None

    @property
    def word(self) -> str:
        """The kind in small letters without spaces or the like, as the sets above have it."""
        return "".join(filter(str.isalpha, self.kind)).lower()

    @property
    def is_of_one_name(self) -> bool:
        """Whether it was inferred to be something else of the same name: a special, a film, another telling."""
        return self.word == "other" and self.confidence is not None and self.confidence >= ONE_NAME

    @property
    def is_dependable(self) -> bool:
        """Whether a site says so, or it was inferred with little doubt."""
        return self.confidence is None or self.confidence >= DEPENDABLE


class Circles(NamedTuple):
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


class _Forest:
    """Disjoint sets of ids, some of which are to stay apart."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._against: defaultdict[int, set[int]] = defaultdict(set)
        self._members: dict[int, list[int]] = {}

    def members(self, node: int) -> list[int]:
        root = self.root(node)
        return self._members.get(root, [root])

    def root(self, node: int) -> int:
        parent = self._parent
        while (above := parent.get(node, node)) != node:
            parent[node] = parent.get(above, above)
            node = above
        return node

    def join(self, one: int, other: int) -> int:
        one, other = sorted((self.root(one), self.root(other)))
        if one != other:
            both = self.members(one) + self.members(other)
            self._parent[other] = one
            self._members[one] = both
            if other in self._against:
                self._against[one] |= self._against.pop(other)
        return one

    def part(self, one: int, other: int) -> None:
        self._against[self.root(one)].add(other)
        self._against[self.root(other)].add(one)

    def are_apart(self, one: int, other: int) -> bool:
        few, many = sorted((self.root(one), self.root(other)), key=lambda root: len(self._against.get(root, ())))
        return any(self.root(node) == many for node in self._against.get(few, ()))

    def roots(self, nodes: Iterable[int]) -> dict[int, int]:
        return {node: self.root(node) for node in nodes}


class _Span:
    """Of a set of anime: when its shows ran or, where there are none, the rest came; whether relations are known."""

    def __init__(self, anime: Anime, related: bool) -> None:
        self.has_show = is_show(anime)
        self.related = related
        self.first, self.last = anime.year, anime.year
        if anime.year and self.has_show:
            self.last = anime.year + (ENDLESS if anime.episodes is None else anime.episodes // EPISODES_A_YEAR)

    def add(self, other: "_Span") -> None:
        self.related |= other.related
        spans = [span for span in (self, other) if span.has_show >= (self.has_show or other.has_show) and span.first]
        self.has_show |= other.has_show
        self.first = min((span.first for span in spans if span.first), default=None)
        self.last = max((span.last for span in spans if span.last), default=None)

    def years_to(self, other: "_Span") -> int:
        """Years between the two, 0 where they overlap or one has no year."""
        if not (self.first and self.last and other.first and other.last):
            return 0
        return max(0, self.first - other.last, other.first - self.last)


def words_of(anime: Anime) -> list[str]:
    """The words of its titles."""
    return Title.of(f"{anime.title} {anime.title_english or ''}").words


def is_show(anime: Anime) -> bool:
    """Whether it is what a series is made of, rather than a film, a special or the like."""
    return anime.type == "TV" or (anime.type == "ONA" and (anime.episodes or 0) >= LONG_ENOUGH)


def circles(anime: Mapping[int, Anime], relations: Collection[Relation], ties: Iterable[Tie]) -> Circles:
    """Find what belongs together.

    Args:
        anime: by their ids.
        relations: what is known of how anime are related, in any order; may name others, through which they are.
        ties: what their titles say.
    """
    sideways = {one for one, its in anime.items() if is_show(its) and SIDEWAYS & {*words_of(its)}}
    ties = sorted((_weighed(tie, anime, sideways) for tie in ties), key=lambda tie: _order(tie, anime))
    forest = _Forest()
    for one in relations:
        if one.word in RETELLINGS | OTHERWISE_RELATED and not one.is_of_one_name:
            forest.part(one.anime_id, one.related_id)
    titles = _Titles(anime, ties)
    same = [one for one in relations if one.word in IN_ORDER | PART_OF_OTHER | OTHER_IS_PART]
    for one in sorted(same, key=titles.doubt):
        sure = one.is_dependable and one.word in IN_ORDER
        if sure or titles.allow(forest, one.anime_id, one.related_id):
            forest.join(one.anime_id, one.related_id)
    parents = _parents(relations)
    remade = _remade(anime, ties)
    for tie in remade:
        if forest.root(tie.one) != forest.root(tie.other):
            forest.part(tie.one, tie.other)
    related = {one.anime_id for one in relations}
    joined = _join_by_titles(forest, anime, related, [tie for tie in ties if tie.closeness <= Closeness.COUNTED])
    certain = forest.roots(anime)
    joined |= _join_by_titles(forest, anime, related, [tie for tie in ties if tie.closeness is Closeness.BEGUN])
    between_several = {child for child, of in parents.items() if len({forest.root(parent) for parent in of}) > 1}
    named = [one for one in relations if one.is_of_one_name and one.anime_id in anime and one.related_id in anime]
    for one in named:
        pair = (one.anime_id, one.related_id)
        shows = all(is_show(anime[anime_id]) for anime_id in pair)
        years = [anime[anime_id].year for anime_id in pair if anime[anime_id].year]
        if not shows and not forest.are_apart(*pair) and (not years or max(years) - min(years) <= SOON):
            forest.join(*pair)
    series = forest.roots(anime)
    story = _Forest()
    for one_id, root in series.items():
        story.join(one_id, root)
    for one in relations:
        both_shows = one in named and is_show(anime[one.anime_id]) and is_show(anime[one.related_id])
        if one.word in RETELLINGS or both_shows:
            story.join(one.anime_id, one.related_id)
    for tie in remade:
        story.join(tie.one, tie.other)
    stories = story.roots(anime)
    for one in relations:
        # What two stories meet in does not make them one universe.
        if one.word in OTHERWISE_RELATED and between_several.isdisjoint((one.anime_id, one.related_id)):
            story.join(one.anime_id, one.related_id)
    for tie in ties:
        if between_several.isdisjoint((tie.one, tie.other)) and (tie not in joined):
            story.join(tie.one, tie.other)
    return Circles(certain, series, stories, story.roots(anime))


class _Titles:
    """What titles say of a doubtful relation: two sets of anime with a show in each are one only if they agree."""

    def __init__(self, anime: Mapping[int, Anime], ties: Iterable[Tie]) -> None:
        self._anime = anime
        self._tied: defaultdict[int, set[int]] = defaultdict(set)
        for tie in ties:
            if tie.closeness < Closeness.LOOSE:
                self._tied[tie.one].add(tie.other)
                self._tied[tie.other].add(tie.one)

    def doubt(self, relation: Relation) -> tuple[bool, bool, float, Relation]:
        """What relations are looked at by, the surest first."""
        sure = relation.is_dependable and relation.word in IN_ORDER
        tied = relation.related_id in self._tied.get(relation.anime_id, ())
        return not sure, not tied, -(1.0 if relation.confidence is None else relation.confidence), relation

    def allow(self, forest: _Forest, one: int, other: int) -> bool:
        if forest.are_apart(one, other):
            return False
        few, many = sorted((forest.members(one), forest.members(other)), key=len)
        if not (self._has_show(few) and self._has_show(many)):
            return True
        root = forest.root(many[0])
        return any(forest.root(tied) == root for member in few for tied in self._tied.get(member, ()))

    def _has_show(self, members: Iterable[int]) -> bool:
        return any(member in self._anime and is_show(self._anime[member]) for member in members)


def _weighed(tie: Tie, anime: Mapping[int, Anime], sideways: Collection[int]) -> Tie:
    """The same tie, loose where only one of two shows says that it tells something beside the other."""
    begun = tie.closeness is Closeness.BEGUN and is_show(anime[tie.one]) and is_show(anime[tie.other])
    return tie._replace(closeness=Closeness.LOOSE) if begun and (tie.one in sideways) != (tie.other in sideways) else tie


def _order(tie: Tie, anime: Mapping[int, Anime]) -> tuple[int, int, int, int]:
    """The closest first, and of equally close ones those that came soonest after each other."""
    one, other = anime[tie.one].year, anime[tie.other].year
    return tie.closeness, abs(one - other) if one and other else SOON, tie.one, tie.other


def _parents(relations: Iterable[Relation]) -> dict[int, set[int]]:
    """Of what each side story or summary is one."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for one in relations:
        if one.word in OTHER_IS_PART:
            found[one.related_id].add(one.anime_id)
        elif one.word in PART_OF_OTHER:
            found[one.anime_id].add(one.related_id)
    return dict(sorted(found.items()))


def _remade(anime: Mapping[int, Anime], ties: Iterable[Tie]) -> list[Tie]:
    """Shows of the same title that came years apart."""
    found = []
    for tie in ties:
        one, other = anime[tie.one], anime[tie.other]
        shows = is_show(one) and is_show(other)
        if tie.closeness is Closeness.SAME and shows and one.year and other.year:
            found += [tie] * (abs(one.year - other.year) >= REMADE_AFTER)
    return found


def _join_by_titles(
    forest: _Forest, anime: Mapping[int, Anime], related: Collection[int], ties: Iterable[Tie]
) -> set[Tie]:
    spans: dict[int, _Span] = {}
    for anime_id, its in anime.items():
        span = _Span(its, anime_id in related)
        spans.setdefault(forest.root(anime_id), span).add(span)
    joined = set()
    for tie in ties:
        one, other = forest.root(tie.one), forest.root(tie.other)
        if one == other or forest.are_apart(one, other):
            continue
        span, of_other = spans[one], spans[other]
        both_related = span.related and of_other.related
        counted = tie.closeness <= Closeness.COUNTED
        shows = span.has_show and of_other.has_show
        most = SOON_NUMBERED if counted else SOON_OF_RELATED if both_related or shows else SOON
        if span.years_to(of_other) <= most:
            root = forest.join(one, other)
            span.add(of_other)
            spans[root] = span
            joined.add(tie)
    return joined
