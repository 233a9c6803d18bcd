"""Titles taken apart: into words, and into the beginnings by which other titles of the same story may be called.

"Psycho-Pass 2: Mondai" would begin with "Psycho-Pass"; what follows is a marker, "2", and a subtitle, "Mondai".
A title's *key* is its words run together, so that it matters less how it is spelt: "Mushi-Shi".
"""

import re
import unicodedata
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
"""What says which part or which edition of a story a title is, in words parted by single spaces."""

FILM_OF = frozenset(("gekijouban", "eiga", "the", "劇場版", "映画"))
"""Words before a title that begin no name: the film of it."""
OPENINGS = FILM_OF | frozenset(("zoku", "shin", "motto", "続", "新"))
"""The same, and those that may begin one: more of it, a new one."""

PARTICLES = frozenset(
    ("no", "to", "ga", "wo", "wa", "ni", "de", "na", "and", "of", "the", "e", "kara", "demo", "mo", "s")
) | frozenset("のとはがをに")
"""Words that tie what is before them to what follows: nothing ends there."""

_QUOTES = r"'\u2018\u2019\u02bc\u0060\u00b4\"\u201c\u201d°"
_DASH = r"[-\u2013\u2014]"
_DROPPED = re.compile(rf"[-\u2010.{_QUOTES}](?:(?<=[{_QUOTES}])|(?<=[^\W_].)(?=[^\W_]))")
"""What says nothing: quotation marks, and hyphens and points inside a word."""
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
"""Characters of a title that are looked at: the beginnings of a title take the square of its length."""
_FIRST_CJK = "\u3000"


class Separator(IntEnum):
    """What stands before a word, beside a space."""

    NONE = 0
    STOP = 1
    """The end of a sentence or exclamation, which many names hold inside: "Love Live! Sunshine!!"."""
    PART = 2
    """What sets a subtitle apart."""


class PrefixKind(IntEnum):
    """How a beginning is set apart from the rest of its title."""

    WORDS = 1
    """Not at all: it ends between two words."""
    HEAD = 2
    """By a subtitle or a marker that follows."""
    WHOLE = 3
    """Nothing but markers follow."""


class Prefix(msgspec.Struct, frozen=True, gc=False):
    """A beginning of a title.

    Attributes:
        key: its words, run together.
        kind: how it is set apart.
        words: how many words it has.
    """

    key: str
    kind: PrefixKind
    words: int


class Suffix(msgspec.Struct, frozen=True, gc=False):
    """What a title ends in.

    Attributes:
        key: its words, run together.
        words: how many words it has.
        before: what stands before it.
    """

    key: str
    words: int
    before: Separator


class ParsedTitle(NamedTuple):
    """A title, taken apart; the lists are as long as there are words, `whole` one longer.

    Attributes:
        words: in lower case, without punctuation, decoration, and what stands before the name.
        breaks: what stands before each, beside a space.
        ends: after how many words the marker ends that begins there, or 0.
        whole: whether nothing but markers follow from there on.
    """

    words: list[str]
    breaks: list[Separator]
    ends: list[int]
    whole: list[bool]

    @classmethod
    def of(cls, text: str, openings: frozenset[str] = OPENINGS) -> Self:
        """Take a title apart; `openings` are the words left out where it begins with them."""
        words, breaks = _words(text[:LONGEST])
        while len(words) > 1 and words[0] in openings:
            del words[0], breaks[0]
        ends = _markers(words)
        whole = [False] * len(words) + [True]
        for at in range(len(words) - 1, 0, -1):
            whole[at] = ends[at] > 0 and whole[ends[at]]
        return cls(words, breaks, ends, whole)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers in its markers, such as a season's."""
        marked = (_number(word) for at, end in enumerate(self.ends) for word in self.words[at:end])
        return tuple(number for number in marked if number is not None)

    @property
    def number(self) -> int | None:
        """Which season or part it is: 1 where it does not say, None where it says so in words, such as "Final"."""
        if not any(self.ends):
            return 1
        return max((number for number in self.numbers if number < FIRST_YEAR), default=None)

    def prefixes(self) -> list[Prefix]:
        """The beginnings by which it may be known, from short to long."""
        words, breaks, ends, whole = self
        n = len(words)
        set_apart = [False] * n + [True]  # from there, markers and then a break
        for at in range(n - 1, 0, -1):
            if end := ends[at]:
                set_apart[at] = set_apart[end] or breaks[end] > Separator.NONE
        found, key = [], ""
        for at in range(1, n + 1):
            key += words[at - 1]
            if whole[at]:
                found.append(Prefix(key, PrefixKind.WHOLE, at))
            elif set_apart[at] or ends[at] or breaks[at] > (Separator.NONE if at > 1 else Separator.STOP):
                found.append(Prefix(key, PrefixKind.HEAD, at))
            elif words[at - 1] not in PARTICLES and words[at] not in PARTICLES:
                found.append(Prefix(key, PrefixKind.WORDS, at))
        return found

    def suffixes(self) -> list[Suffix]:
        """What it ends in, from the second word on; markers at its end are left out, and no ending begins with one."""
        words, breaks, ends, whole = self
        found: list[Suffix] = []
        if "vs" in words:  # two stories meet, and stay two
            return found
        for end in range(2, len(words) + 1):
            key = ""
            for first in range(end - 1 if whole[end] else 0, 0, -1):
                key = words[first] + key
                if not ends[first]:
                    found.append(Suffix(key, end - first, breaks[first]))
        return found


def weight(key: str) -> int:
    """How much a key says: its length in letters, where a Chinese or Japanese character counts as three."""
    if key.isascii():
        return len(key)
    return sum(3 if character > _FIRST_CJK else 1 for character in key)


def _words(text: str) -> tuple[list[str], list[Separator]]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:LONGEST]  # a single sign may have become many words
    words: list[str] = []
    breaks: list[Separator] = []
    before = Separator.NONE
    for word, part, _ in _WORDS.findall(_DROPPED.sub("", text.casefold())):
        if word:
            breaks.append(before if words else Separator.NONE)
            words.append(word)
            before = Separator.NONE
        elif part:
            before = Separator.PART
        elif not before:
            before = Separator.STOP
    return words, breaks


def _number(word: str) -> int | None:
    digits = "".join(filter(str.isdecimal, word))
    return int(digits) if digits else _NUMBER_WORDS.get(word)


def _markers(words: list[str]) -> list[int]:
    text = " ".join(words)
    ends = [0] * len(words)
    for match in _MARKER.finditer(text):
        ends[text.count(" ", 0, match.start())] = text.count(" ", 0, match.end()) + 1
    return ends
