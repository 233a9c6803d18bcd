"""Facts as a page says them."""

import re
from collections.abc import Callable, Hashable
from threading import Lock

from cachetools import LRUCache, cached
from markupsafe import Markup

from hakken.bundle import Facts, attributes_of
from hakken.catalogue import Anime
from hakken.recommend.notes import counted

_LETTER_OF_WORD = re.compile(r"(?<![\w'\N{RIGHT SINGLE QUOTATION MARK}])[^\W\d_]")
_SOMETHING = re.compile("[1-9]")


def studio(name: str) -> str:
    """A studio's name, which the catalogue has in lower case, with capitals."""
    return _LETTER_OF_WORD.sub(lambda letter: letter[0].upper(), name) if name == name.lower() else name


def signed(form: str, value: float) -> str:
    """A number that says its sign, as print has it; one that is rounded to nothing has none.

    Args:
        form: such as "%+.2f" or "%+.0f %%".
        value: the number.
    """
    number = form % value
    return number.replace("-", "\N{MINUS SIGN}") if _SOMETHING.search(number) else number.lstrip("+-")


@cached(LRUCache(64), key=lambda macro, *given: (macro.name, *given), lock=Lock())
def remembered(macro: Callable[..., Markup], *given: Hashable) -> Markup:
    """What a macro makes of arguments that were given to it not long ago; it must go by them alone."""
    return macro(*given)


def facts(anime: Anime) -> list[str]:
    """Type, year and number of episodes of a title, as far as they are known."""
    known = [anime.type or "", str(anime.year or "")]
    if anime.episodes and not (anime.type == "Movie" and anime.episodes == 1):  # a film is one piece anyway
        known.append(counted(anime.episodes, "episode", "episodes"))
    return [one for one in known if one]


_KINDS = {"genres": "genres", "studios": "studio", "tags": "tags", "made_from": "source"}
"""What titles are judged by that hardly anyone watched, in words; those that say the most to a reader first."""
_MOST_KINDS = 3


def judged_by(anime: Anime, known: Facts, *, of_series: bool = False) -> str:
    """What a title is judged by that hardly anyone watched, such as "its genres and studio".

    Args:
        anime: as the catalogue has it.
        known: says what counts.
        of_series: whether others of its series speak for it.
    """
    counting = {name for name, _ in attributes_of(anime) & known.attributes}
    kinds = ["series"] * of_series + [word for name, word in _KINDS.items() if name in counting]
    *before, last = kinds[:_MOST_KINDS] or ["kind"]
    return f"its {', '.join(before)} and {last}" if before else f"its {last}"


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text."""
    return [one for line in text.splitlines() if (one := line.strip())]
