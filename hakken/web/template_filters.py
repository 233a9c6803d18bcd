"""Filters and functions of the templates: facts as text."""

import re
from collections.abc import Callable, Hashable
from threading import Lock

from cachetools import LRUCache, cached
from markupsafe import Markup

from hakken.bundle import Facts, attributes_of
from hakken.catalogue import Anime
from hakken.recommend.notes import counted

_FIRST_LETTER = re.compile(r"(?<![\w'\N{RIGHT SINGLE QUOTATION MARK}])[^\W\d_]")


def studio(name: str) -> str:
    """A studio's name, which the catalogue has in lower case, with capitals."""
    return _FIRST_LETTER.sub(lambda letter: letter[0].upper(), name) if name == name.lower() else name


def signed(form: str, value: float) -> str:
    """A number with its sign, − rather than a hyphen; one that rounds to zero has no sign.

    Args:
        form: such as "%+.2f" or "%+.0f %%".
        value: the number.
    """
    number = form % value
    return number.replace("-", "\N{MINUS SIGN}") if re.search("[1-9]", number) else number.lstrip("+-")


@cached(LRUCache(64), key=lambda macro, *args: (macro.name, *args), lock=Lock())
def cached_macro(macro: Callable[..., Markup], *args: Hashable) -> Markup:
    """Call a macro, or return what it returned for the same arguments; it must depend on nothing else."""
    return macro(*args)


def facts(anime: Anime) -> list[str]:
    """Type, year and number of episodes of a title, as far as they are known."""
    known = [anime.type or "", str(anime.year or "")]
    if anime.episodes and not (anime.type == "Movie" and anime.episodes == 1):  # a film is one piece anyway
        known.append(counted(anime.episodes, "episode", "episodes"))
    return [one for one in known if one]


_KINDS = {"genres": "genres", "studios": "studio", "tags": "tags", "made_from": "source"}
"""Attributes in words, the most telling to a reader first."""
_MAX_KINDS = 3


def judged_by(anime: Anime, known: Facts, *, of_series: bool = False) -> str:
    """By what a title is judged that hardly anyone watched, such as "its genres and studio".

    Args:
        anime: as the catalogue has it.
        known: says which attributes the model uses.
        of_series: whether others of its series speak for it.
    """
    used = {name for name, _ in attributes_of(anime) & known.attributes}
    kinds = ["series"] * of_series + [word for name, word in _KINDS.items() if name in used]
    *before, last = kinds[:_MAX_KINDS] or ["kind"]
    return f"its {', '.join(before)} and {last}" if before else f"its {last}"


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text."""
    return [one for line in text.splitlines() if (one := line.strip())]


def initial(title: str) -> str:
    """The letter on a title's placeholder cover; empty where it has none."""
    return next((letter.upper() for letter in title if letter.isalnum()), "")
