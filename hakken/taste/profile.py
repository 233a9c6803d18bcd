"""The types of a profile, which the API serves as they are."""

from typing import Annotated

import msgspec

from hakken.about import about


class Counts(msgspec.Struct, frozen=True):
    """How much a list holds."""

    entries: Annotated[int, about("All of it.")]
    watching: Annotated[int, about("Entries with this status; likewise for the next four.")]
    completed: Annotated[int, about("The same.")]
    on_hold: Annotated[int, about("The same.")]
    dropped: Annotated[int, about("The same.")]
    plan_to_watch: Annotated[int, about("The same.")]
    known: Annotated[int, about("Entries that the model knows.")]
    scored: Annotated[int, about("Entries with a score.")]
    compared: Annotated[int, about("Entries with a score that the model knows: what all comparisons are made from.")]


class ScoreShare(msgspec.Struct, frozen=True):
    """How often one of the ten scores was given."""

    score: Annotated[int, about("1-10.")]
    count: Annotated[int, about("How many of the visitor's entries have it.")]
    share: Annotated[float, about("Its share of their scored entries, 0-1.")]
    everyone: Annotated[float, about("Its share of all training ratings, 0-1.")]


class Generosity(msgspec.Struct, frozen=True):
    """How the visitor scores compared with others who rated the same titles."""

    b_u: Annotated[
        float,
        about("User bias, score points: how much higher they score than people on average do; negative for lower."),
    ]
    share: Annotated[float, about("The share of training users, 0-1, whose bias is lower.")]
    words: Annotated[str, about("The same in a sentence.")]


class Leaning(msgspec.Struct, frozen=True):
    """How much more, or less, someone likes the titles of a genre than would be expected of them."""

    name: Annotated[str, about("The genre's name.")]
    titles: Annotated[int, about("How many of the visitor's scored titles have it.")]
    mean: Annotated[float, about("Mean of their scores for those titles.")]
    lean: Annotated[float, about("Shrunk mean of their residuals, score points; positive for more than expected.")]
    clear: Annotated[
        bool,
        about("Whether that is more than chance would explain: at least twice the lean's standard error."),
    ]


class Span(msgspec.Struct, frozen=True):
    """The titles of some years."""

    first: Annotated[int | None, about("Year; null for all before `last`.")]
    last: Annotated[int, about("Year, itself included.")]
    watched: Annotated[int, about("Entries that are not only planned.")]
    scored: Annotated[int, about("Those of them with a score.")]
    mean: Annotated[float | None, about("Of these scores; null where there is none.")]
    lean: Annotated[float | None, about("As `Leaning.lean`; null where there are too few titles.")]
    clear: Annotated[bool, about("As `Leaning.clear`.")]


class Opinion(msgspec.Struct, frozen=True):
    """A title that the visitor scored unlike others."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("As the catalogue has it.")]
    score: Annotated[int, about("The visitor's.")]
    expected: Annotated[
        float,
        about(
            "B_ui, clipped to 1-10: what people in general gave the title, adjusted for how generously this one scores."
        ),
    ]
    difference: Annotated[float, about("Score − expected, score points.")]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says about a taste."""

    counts: Annotated[Counts, about("How much the list holds.")]
    mean: Annotated[float | None, about("Of all scores on it; null where there is none.")]
    scores: Annotated[
        tuple[ScoreShare, ...],
        about("How often each score 1, 2 … 10 was given, beside how often everyone gives it."),
    ]
    generosity: Annotated[
        Generosity | None,
        about("How the visitor scores compared with others; null where no scored title is known."),
    ]
    genres: Annotated[
        tuple[Leaning, ...],
        about("What is liked more, or less, than expected, highest lean first; only genres with enough scored titles."),
    ]
    years: Annotated[
        tuple[Span, ...],
        about("Watched titles by when they came out, the oldest first; no span between two others is left out."),
    ]
    undated: Annotated[int, about("Watched entries whose year is unknown.")]
    above: Annotated[
        tuple[Opinion, ...],
        about("The titles that the visitor likes much better than others do, the most unusual first."),
    ]
    below: Annotated[tuple[Opinion, ...], about("The same of those that they like much less.")]
    notes: Annotated[tuple[str, ...], about("Plain sentences about what the list has too little of.")]
