"""Facts as a page says them."""

import re
from collections.abc import Callable, Hashable
from threading import Lock

from cachetools import LRUCache, cached
from markupsafe import Markup

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


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text."""
    return [one for line in text.splitlines() if (one := line.strip())]
