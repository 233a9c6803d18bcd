"""Parsing titles: into words, and into prefixes that may be the titles of other anime of the same story.

"Psycho-Pass 2: Mondai" has the prefix "Psycho-Pass"; then come a marker, "2", and a subtitle, "Mondai".
A title's *key* is its words without spaces, so that spelling variants such as "Mushi-Shi" matter less.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, Self

import msgspec

_NUMBER = r"\d{1,2}|[ivx]+"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|final"
_SEASON = "season|stage|part|cour|act|chapter|half|term|period|phase"
_KIND = (
    r"ovas?|oad|ona|tv|movies?|specials?|sp|recaps?|soushuuhen|episodes?|ep|picture drama|pilot|pv|cm|omake|prologue"
    "|epilogue|preview|trailer|extras?|bonus|dvd|bd|vol|volume|version|edition|gekijouban|series|mini anime"
)
_MARKER = re.compile(
    rf"(?:(?<= )|^)(?:(?:{_ORDINAL}) (?:{_SEASON}|series)|(?:{_SEASON}) (?:{_NUMBER}|{_ORDINAL})"
    rf"|the (?:animation|motion picture|{_KIND})|{_KIND}"
    r"|\d{1,2}(?:st|nd|rd|th)?|(?:19|20)\d\d|\d000|s\d|r2|ii|iii|iv|vi|vii|viii|ix"
    r"|zoku(?: shou)?|kanketsu hen|ni gakki"  # "continued", "conclusion", "second term"
    r"|(?:second|third|[ivx])$"  # inside a title these are words: "Hunter x Hunter"
    r"|第 \d+(?: [期部シリーズ]+)?|\d+ 期|シーズン|セカンドシーズン|サードシーズン|劇場版|総集編|特別編|番外編)"
    r"(?= |$)"
)
"""Markers: they say which part or edition of a story a title is. Matches words separated by single spaces."""

OPENINGS = frozenset(("gekijouban", "eiga", "the", "劇場版", "映画", "zoku", "shin", "motto", "続", "新"))
"""Words before a title that are left out, such as "the film of", and some that may also begin a name: "more of"."""

PARTICLES = frozenset(
    ("no", "to", "ga", "wo", "wa", "ni", "de", "na", "and", "of", "the", "e", "kara", "demo", "mo", "s")
) | frozenset("のとはがをに")
"""Words that connect what is before and after them: no prefix ends there."""

_QUOTES = r"'\u2018\u2019\u02bc\u0060\u00b4\"\u201c\u201d°"
_DASH = r"[-\u2013\u2014]"
_DROPPED = re.compile(rf"[-\u2010.{_QUOTES}](?:(?<=[{_QUOTES}])|(?<=[^\W_].)(?=[^\W_]))")
"""Characters that are ignored: quotation marks, and hyphens and points inside a word."""
_WORDS = re.compile(
    r"(?P<word>[0-9a-z\u00e0-\u024f]+|[^\W_0-9a-z\u00e0-\u024f]+|[+√])"  # first, as what is found most often
    rf"|(?P<part>[:;](?=\s)|\s{_DASH}+|{_DASH}+\s|[~〜/()\[\]【】「」『』〈〉《》])|(?P<stop>[!?.,…♪♥♡☆★]+(?=\s|$))"
)
_NUMBER_WORDS = {
    word: number
    for words in ("first second third fourth fifth", "i ii iii iv v vi vii viii ix x")
    for number, word in enumerate(words.split(), start=1)
}
FIRST_YEAR = 1900
LONGEST = 200
"""Characters of a title that are read: its prefixes take time quadratic in its length."""
_FIRST_CJK = "\u3000"


class Separator(IntEnum):
    """What separates a word from the one before, beside a space."""

    NONE = 0
    STOP = 1  # the end of a sentence or exclamation, which many names contain: "Love Live! Sunshine!!"
    PART = 2  # before a subtitle


class PrefixKind(IntEnum):
    """How a prefix is separated from the rest of its title."""

    WORDS = 1  # by a space only
    HEAD = 2  # by a subtitle or a marker
    WHOLE = 3  # only markers follow


class Prefix(msgspec.Struct, frozen=True, gc=False):
    """A prefix of a title.

    Attributes:
        key: its words without spaces.
        kind: how it is separated.
        words: number of words.
    """

    key: str
    kind: PrefixKind
    words: int


class ParsedTitle(NamedTuple):
    """A parsed title; the lists have an element for each word, `whole` one more.

    Attributes:
        words: in lower case, without punctuation, decoration, and words before the name.
        separators: what separates each from the one before.
        ends: index of the word after the marker that begins there, or 0.
        whole: whether only markers follow from there on.
    """

    words: list[str]
    separators: list[Separator]
    ends: list[int]
    whole: list[bool]

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse a title."""
        words, separators = _words(text[:LONGEST])
        while len(words) > 1 and words[0] in OPENINGS:
            del words[0], separators[0]
        spaced, ends = " ".join(words), [0] * len(words)
        for match in _MARKER.finditer(spaced):
            ends[spaced.count(" ", 0, match.start())] = spaced.count(" ", 0, match.end()) + 1
        whole = [False] * len(words) + [True]
        for at in range(len(words) - 1, 0, -1):
            whole[at] = ends[at] > 0 and whole[ends[at]]
        return cls(words, separators, ends, whole)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers in its markers, such as a season's."""
        marked = (_number(word) for at, end in enumerate(self.ends) for word in self.words[at:end])
        return tuple(number for number in marked if number is not None)

    @property
    def number(self) -> int | None:
        """Its season or part: 1 where it has no marker, None where its markers have no number, such as "Final"."""
        if not any(self.ends):
            return 1
        return max((number for number in self.numbers if number < FIRST_YEAR), default=None)

    def prefixes(self) -> list[Prefix]:
        """Its prefixes that may be titles, from short to long."""
        words, separators, ends, whole = self
        n = len(words)
        separated = [False] * n + [True]  # from there on: markers, then a separator
        for at in range(n - 1, 0, -1):
            if end := ends[at]:
                separated[at] = separated[end] or separators[end] > Separator.NONE
        found, key = [], ""
        for at in range(1, n + 1):
            key += words[at - 1]
            if whole[at]:
                found.append(Prefix(key, PrefixKind.WHOLE, at))
            elif separated[at] or ends[at] or separators[at] > (Separator.NONE if at > 1 else Separator.STOP):
                found.append(Prefix(key, PrefixKind.HEAD, at))
            elif words[at - 1] not in PARTICLES and words[at] not in PARTICLES:
                found.append(Prefix(key, PrefixKind.WORDS, at))
        return found

    def suffixes(self) -> Iterator[tuple[str, int, Separator]]:
        """Its suffixes from the second word on, without markers at the end; none begins with a marker.

        Of each: its key, the number of its words, and what separates it from the rest.
        """
        words, separators, ends, whole = self
        if "vs" in words:  # a crossover of two stories, which belong to two series
            return
        for end in range(2, len(words) + 1):
            key = ""
            for first in range(end - 1 if whole[end] else 0, 0, -1):
                key = words[first] + key
                if not ends[first]:
                    yield key, end - first, separators[first]


def weight(key: str) -> int:
    """How distinctive a key is: its length in letters, where a Chinese or Japanese character counts as three."""
    return len(key) if key.isascii() else sum(3 if character > _FIRST_CJK else 1 for character in key)


def _words(text: str) -> tuple[list[str], list[Separator]]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:LONGEST]  # a single sign may have become many words
    words: list[str] = []
    separators: list[Separator] = []
    before = Separator.NONE
    for word, part, _ in _WORDS.findall(_DROPPED.sub("", text.casefold())):
        if word:
            separators.append(before if words else Separator.NONE)
            words.append(word)
            before = Separator.NONE
        elif part:
            before = Separator.PART
        elif not before:
            before = Separator.STOP
    return words, separators


def _number(word: str) -> int | None:
    digits = "".join(filter(str.isdecimal, word))
    return int(digits) if digits else _NUMBER_WORDS.get(word)
