"""Normalisation of names for comparison, and their abbreviations."""

import re
import unicodedata
from collections.abc import Iterator

from rapidfuzz import utils

SHORT_FOR = {
    "7ds": "nanatsu no taizai",  # The Seven Deadly Sins, with a digit
    "dmc": "detroit metal city",  # not well known enough for its initials to be indexed
    "eva": "evangelion",  # as a prefix it would match other titles
    "jjba": "jojo no kimyou na bouken",  # JoJo counts as two words
    "logh": "ginga eiyuu densetsu",  # Legend of the Galactic Heroes, "of" and "the" left out, yet its l, g and h kept
    "pmmm": "mahou shoujo madoka magica",  # Puella Magi Madoka Magica, which is not among its names
    "quints": "quintessential quintuplets",  # half a word
    "ygo": "yu gi oh",  # as many letters as words, which are three of the series' names
}
"""Abbreviations that can't be derived from names → words that are in the names of what they stand for."""

PARTICLES = frozenset(("a", "an", "and", "in", "of", "the", "to", "with", "no", "wa", "wo", "ga", "ni", "de"))
"""Words that distinguish no title, and that abbreviations often leave out."""
PARTS = frozenset(("anime", "cour", "film", "movie", "ona", "ova", "part", "season", "series", "tv"))
"""Words, beside numbers, that say which part of a story is meant. A title may be known by a name without them."""

_SIGNS = str.maketrans(
    {
        "×": " x ",
        "∀": "turn a",
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"),
        **{chr(kana): chr(kana - 0x60) for kana in range(0x30A1, 0x30F7)},  # katakana as hiragana
    }
)
_ACCENTS = re.compile("[\u0300-\u036f\u3099\u309a]+")
_DIGIT = re.compile("[0-9]")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_SEASON = re.compile(r"\bs(\d{1,2})\b")
_ORDINAL_WORD = re.compile(r"\b(first|second|third|fourth|fifth)(?= season\b)")
_NUMBERS = {"first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5"}
_LONG_VOWEL = re.compile("ou|oo|uu")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_NEXT_PART = re.compile(
    r": | [-\u2013~(]| (?=(?:\d+(?:st|nd|rd|th) |Second |Final )?(?:Season|Part|Movie|OVA|ONA|TV|Specials?|Recap)\b)"
    r"| (?=(?:\d{1,2}|I+)$)"
)
_LATIN = re.compile("[a-z0-9]+")


def plain(text: str) -> str:
    """Normalise a name: without accents, capitals, widths and signs, one space between words.

    "2nd Season" and "S2" become "2 season" and "season 2".
    """
    if not text.isascii():
        bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
        # Decomposed and composed again, so that other scripts keep their length.
        text = unicodedata.normalize("NFC", bare).translate(_SIGNS)
    # "Howl's" is typed without the apostrophe as well, "iDOLM@STER" with a letter.
    words = utils.default_process(text.replace("'", "").replace("&", " and ").replace("@", "a"))
    if " season" in words:
        words = _ORDINAL_WORD.sub(lambda word: _NUMBERS[word[0]], words)
    if _DIGIT.search(words):
        words = _SEASON.sub(r"season \1", _ORDINAL.sub(r"\1", words))
    return " ".join(words.split()) if "  " in words else words


def solid(words: str) -> str:
    """A plain name without spaces, which people put differently: "full metal", "re zero"."""
    return words.replace(" ", "")


def with_short_vowels(word: str) -> str:
    """A plain word in romaji without vowel lengths, which many leave out: "haikyu", "shippuden", "tokyo"."""
    return _LONG_VOWEL.sub(lambda vowel: vowel[0][0], word)


def is_unspaced(text: str) -> bool:
    """Whether a text is in a script without spaces between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def head(name: str) -> str:
    """The part of a name before a subtitle, a season or the like: of "Steins;Gate 0", "Steins;Gate"."""
    return _NEXT_PART.split(name, maxsplit=1)[0]


def initials(name: str) -> Iterator[str]:
    """The abbreviations of a name in Latin letters, in plain letters, of two letters or more.

    They are the initials of all of its words, of its head, and of each part between colons; with particles, as in
    "kny", and without, as in "fsn". Numbers stay whole: "mp100".

    Args:
        name: as the catalogue has it.
    """
    for part in dict.fromkeys((name, head(name), *name.split(": "))):
        words = plain(part).split()
        if not all(map(_LATIN.fullmatch, words)):
            continue
        for kept in (words, [word for word in words if word not in PARTICLES]):
            if len(kept) > 1:
                yield "".join(word if word.isdigit() else word[0] for word in kept)
