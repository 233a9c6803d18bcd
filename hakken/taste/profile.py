"""The types of a profile, which the API serves as they are."""

import msgspec


class Counts(msgspec.Struct, frozen=True):
    """How much a list holds.

    Attributes:
        entries: all of it.
        watching: entries of this status, as of the next four.
        completed: the same.
        on_hold: the same.
        dropped: the same.
        plan_to_watch: the same.
        known: entries that the model knows.
        scored: entries with a score.
        compared: entries with a score that the model knows: what all comparisons are made from.
    """

    entries: int
    watching: int
    completed: int
    on_hold: int
    dropped: int
    plan_to_watch: int
    known: int
    scored: int
    compared: int


class ScoreShare(msgspec.Struct, frozen=True):
    """How often one of the ten scores was given.

    Attributes:
        score: 1-10.
        count: how many of the visitor's entries have it.
        share: the part of their scored entries, 0-1.
        everyone: the part of all training ratings, 0-1.
    """

    score: int
    count: int
    share: float
    everyone: float


class Generosity(msgspec.Struct, frozen=True):
    """How the visitor scores compared with others who rated the same titles.

    Attributes:
        b_u: user bias, score points: how much higher they score than people on average do; negative for lower.
        share: the part of the training users, 0-1, whose bias is lower.
        words: the same in a sentence.
    """

    b_u: float
    share: float
    words: str


class Leaning(msgspec.Struct, frozen=True):
    """How much more, or less, someone likes the titles of a genre than would be expected of them.

    Attributes:
        name: of the genre.
        titles: how many scored titles of the visitor's speak.
        mean: of the scores that they gave those.
        lean: shrunk mean of their residuals, score points; positive for more than expected.
        clear: whether that is more than chance makes of so few titles: twice the lean's standard error.
    """

    name: str
    titles: int
    mean: float
    lean: float
    clear: bool


class Span(msgspec.Struct, frozen=True):
    """The titles of some years.

    Attributes:
        first: year; None for all before `last`.
        last: year, itself included.
        watched: entries that are not only planned.
        scored: those of them with a score.
        mean: of these scores; None where there is none.
        lean: as `Leaning.lean`; None where too few titles speak.
        clear: as `Leaning.clear`.
    """

    first: int | None
    last: int
    watched: int
    scored: int
    mean: float | None
    lean: float | None
    clear: bool


class Opinion(msgspec.Struct, frozen=True):
    """A title that the visitor scored unlike others.

    Attributes:
        anime_id: MyAnimeList id.
        title: as the catalogue has it.
        score: the visitor's.
        expected: b_ui, clipped to 1-10: what people in general gave the title, moved by how generous this one is.
        difference: score − expected, score points.
    """

    anime_id: int
    title: str
    score: int
    expected: float
    difference: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says about a taste.

    Attributes:
        counts: how much the list holds.
        mean: of all scores on it; None where there is none.
        scores: how often each score 1, 2 … 10 was given, beside how often everyone gives it.
        generosity: how the visitor scores compared with others; None where no scored title is known.
        genres: what is liked more, or less, than expected, by falling lean; only genres with enough scored titles.
        years: what was watched when it came out, the oldest first; no span is left out between two that hold something.
        undated: watched entries whose year nobody knows.
        above: the titles that the visitor likes much better than others do, the most unusual first.
        below: the same of those that they like much less.
        notes: plain sentences about what is too little to go by.
    """

    counts: Counts
    mean: float | None
    scores: tuple[ScoreShare, ...]
    generosity: Generosity | None
    genres: tuple[Leaning, ...]
    years: tuple[Span, ...]
    undated: int
    above: tuple[Opinion, ...]
    below: tuple[Opinion, ...]
    notes: tuple[str, ...]
