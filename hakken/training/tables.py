"""Reading the tables that a model is made from. Nothing is dropped without being counted."""

import html
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from hakken.catalogue import ADULT_GENRE, Anime, Catalogue
from hakken.errors import TableError
from hakken.model.arrays import Int32s
from hakken.ratings import MAX_ANIME_ID, MAX_SCORE

RATING_COLUMNS = ("user_id", "anime_id", "rating")
ANIME_COLUMNS = ("anime_id", "name", "genre", "type", "episodes", "rating", "members")
TITLE_COLUMNS = (
    "anime_id",
    "title_english",
    "title_japanese",
    "title_synonyms",
    "year",
    "season",
    "studios",
    "age_rating",
    "image_url",
    "other_titles",
)
NOT_SCORED = -1
CHUNK_ROWS = 1_000_000
PICTURE_HOST = "https://cdn.myanimelist.net/"
OLD_PICTURE_HOST = "https://myanimelist.net/"
"""The CDN serves the same paths as the site's older host did."""


@dataclass(frozen=True, eq=False)
class RatingTable:
    """A table of ratings with users and anime numbered from 0, in the order of their ids.

    Attributes:
        anime_ids: `(n_items,)` int32, ascending, MyAnimeList id of each item.
        n_users: how many users have an entry.
        users: `(n,)` int32, user of each entry; entries are sorted by user, then item.
        items: `(n,)` int32, item of each entry.
        scores: `(n,)` int8, 1-10, or 0 for an entry without a score.
        rows: rows that the table held.
        dropped: why rows were left out → how many.
    """

    anime_ids: Int32s
    n_users: int
    users: Int32s
    items: Int32s
    scores: np.ndarray[tuple[int], np.dtype[np.int8]]
    rows: int
    dropped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.users)


def read_ratings(path: Path) -> RatingTable:
    """Read `user_id,anime_id,rating` (rating -1 or 0: on the list, not scored).

    Rows with an impossible id or score are left out and counted; of a repeated pair the last row counts.

    Raises:
        TableError: the file can't be read, lacks a column, or holds no usable row.
    """
    dropped: Counter[str] = Counter()
    kept, rows = [], 0
    try:
        with pd.read_csv(path, usecols=list(RATING_COLUMNS), chunksize=CHUNK_ROWS) as chunks:
            for chunk in chunks:
                rows += len(chunk)
                kept.append(_usable(chunk, dropped))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    table = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(RATING_COLUMNS))
    repeated = table.duplicated(["user_id", "anime_id"], keep="last")
    dropped["a later row for the same user and anime"] += int(repeated.sum())
    table = table[~repeated].sort_values(["user_id", "anime_id"], kind="stable")
    if table.empty:
        raise TableError(f"{path} holds no usable rating.")
    users, user_ids = pd.factorize(table["user_id"], sort=True)
    items, anime_ids = pd.factorize(table["anime_id"], sort=True)
    return RatingTable(
        anime_ids=anime_ids.to_numpy().astype(np.int32),
        n_users=len(user_ids),
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        scores=table["rating"].clip(lower=0).to_numpy().astype(np.int8),
        rows=rows,
        dropped=+dropped,
    )


def _usable(chunk: pd.DataFrame, dropped: Counter[str]) -> pd.DataFrame:
    numbers = chunk.apply(pd.to_numeric, errors="coerce")
    whole = numbers.notna() & (numbers % 1 == 0)
    tests = {
        "impossible user id": whole["user_id"] & numbers["user_id"].between(0, 2**53),
        "impossible anime id": whole["anime_id"] & numbers["anime_id"].between(1, MAX_ANIME_ID),
        "impossible score": whole["rating"] & numbers["rating"].between(NOT_SCORED, MAX_SCORE),
    }
    good = pd.Series(True, index=chunk.index)
    for reason, passed in tests.items():
        dropped[reason] += int((good & ~passed).sum())
        good &= passed
    usable: pd.DataFrame = numbers[good].astype(np.int64)
    return usable


def read_catalogue(anime: Path, titles: Path | None = None) -> Catalogue:
    """Read the anime table and, where given, the table of further titles and facts.

    HTML entities are decoded; an empty or `Unknown` field stays unknown.

    Raises:
        TableError: a file can't be read, lacks a column, or has a row whose id is no id.
    """
    facts = {row["anime_id"]: row for row in _text_rows(titles, TITLE_COLUMNS)} if titles else {}
    return Catalogue(_anime(row, facts.get(row["anime_id"], {})) for row in _text_rows(anime, ANIME_COLUMNS))


def _text_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        table = pd.read_csv(path, usecols=list(columns), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    bad = table[~table["anime_id"].str.fullmatch(r"[1-9]\d{0,9}")]
    if len(bad):
        raise TableError(f"{path}, line {bad.index[0] + 2}: {bad['anime_id'].iloc[0]!r} is not an anime id.")
    return [
        {name: html.unescape(text).strip() for name, text in zip(columns, row, strict=True)}
        for row in table[list(columns)].itertuples(index=False, name=None)
    ]


def _anime(row: dict[str, str], facts: dict[str, str]) -> Anime:
    title = row["name"]
    english = facts.get("title_english") or None
    genres = _words(row["genre"], ",")
    return Anime(
        anime_id=int(row["anime_id"]),
        title=title,
        title_english=english if english != title else None,
        title_japanese=facts.get("title_japanese") or None,
        synonyms=_synonyms(facts, known={title, english or title}),
        type=row["type"] or None,
        episodes=_number(row["episodes"]),
        genres=genres,
        year=_number(facts.get("year", "")),
        season=facts.get("season") or None,
        studios=_words(facts.get("studios", ""), "|"),
        mean=float(row["rating"]) if row["rating"] else None,
        members=_number(row["members"]),
        picture=_picture(facts.get("image_url", "")),
        adult=ADULT_GENRE in genres or facts.get("age_rating", "").startswith("Rx"),
    )


def _synonyms(facts: dict[str, str], known: set[str]) -> tuple[str, ...]:
    names = [*_words(facts.get("title_synonyms", ""), ", "), *_words(facts.get("other_titles", ""), "|")]
    return tuple(name for name in dict.fromkeys(names) if name not in known)


def _words(text: str, separator: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def _number(text: str) -> int | None:
    """Read a count; anything else ("Unknown", nothing) is unknown."""
    whole = text.removesuffix(".0")
    return int(whole) if whole.isdecimal() else None


def _picture(address: str) -> str | None:
    if address.startswith(OLD_PICTURE_HOST):
        return PICTURE_HOST + address.removeprefix(OLD_PICTURE_HOST)
    return address if address.startswith(PICTURE_HOST) else None


def _unreadable(path: Path, error: Exception) -> TableError:
    return TableError(f"The table {path} can't be read: {error}")
