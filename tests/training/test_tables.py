"""Reading tables: what is kept, what is left out and counted, what is refused."""

from pathlib import Path

import pytest

from hakken.errors import TableError
from hakken.training.tables import read_anime_table, read_ratings

ANIME_HEAD = "anime_id,name,genre,type,episodes,rating,members\n"
TITLES_HEAD = (
    "anime_id,title_english,title_japanese,title_synonyms,year,season,studios,age_rating,image_url,other_titles\n"
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_ratings_are_numbered_in_the_order_of_their_ids(tmp_path: Path) -> None:
    table = read_ratings(write(tmp_path / "r.csv", "user_id,anime_id,rating\n9,30,8\n2,30,-1\n2,5,0\n2,7,10\n"))
    assert table.anime_ids.tolist() == [5, 7, 30]
    assert table.n_users == 2
    assert list(zip(table.users.tolist(), table.items.tolist(), table.scores.tolist(), strict=True)) == [
        (0, 0, 0),
        (0, 1, 10),
        (0, 2, 0),
        (1, 2, 8),
    ]
    assert not table.dropped


def test_impossible_rows_are_left_out_and_counted_by_reason(tmp_path: Path) -> None:
    text = "user_id,anime_id,rating\n1,1,8\n1,2,11\n1,3,7.5\n1,0,5\nx,4,5\n1,5,-2\n1,6,\n1,1,9\n-3,8,5\n"
    table = read_ratings(write(tmp_path / "r.csv", text))
    assert table.rows == 9
    assert table.scores.tolist() == [9]  # of a repeated pair the last row counts
    assert table.dropped == {
        "impossible score": 4,
        "impossible anime id": 1,
        "impossible user id": 2,
        "a later row for the same user and anime": 1,
    }
    assert table.rows == len(table) + table.dropped.total()


@pytest.mark.parametrize(
    "text", ["", "user_id,anime_id\n1,2\n", "user_id,anime_id,rating\n", "user_id,anime_id,rating\n1,1,99\n"]
)
def test_a_table_without_a_usable_rating_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match=r"r\.csv"):
        read_ratings(write(tmp_path / "r.csv", text))


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere\.csv"):
        read_ratings(tmp_path / "nowhere.csv")


def test_the_catalogue_decodes_entities_and_keeps_missing_fields_missing(tmp_path: Path) -> None:
    anime = write(
        tmp_path / "a.csv",
        ANIME_HEAD
        + '1,Gintama&#039;,"Action, Comedy",TV,Unknown,9.1,100\n'
        + "2,Secret,Hentai,OVA,2,,50\n"
        + "3,Bare,,,,,7\n",
    )
    titles = write(
        tmp_path / "t.csv",
        TITLES_HEAD
        + '1,Gin &amp; Tama,銀魂,"GT, Silver Soul",2006.0,Spring 2006,sunrise|bandai,PG-13,'
        + "https://myanimelist.net/images/anime/1.jpg,Gin Tama | Gintama&#039;\n"
        + "3,,,,,,,Rx - Hentai,http://evil.example/x.jpg,\n",
    )
    catalogue = read_anime_table(anime, titles).catalogue
    gintama, secret, bare = catalogue[1], catalogue[2], catalogue[3]
    assert gintama.title == "Gintama'"
    assert gintama.title_english == "Gin & Tama"
    assert gintama.title_japanese == "銀魂"
    assert gintama.synonyms == ("GT", "Silver Soul", "Gin Tama")
    assert (gintama.episodes, gintama.year, gintama.season) == (None, 2006, "Spring 2006")
    assert gintama.genres == ("Action", "Comedy")
    assert gintama.studios == ("sunrise", "bandai")
    assert gintama.picture == "https://cdn.myanimelist.net/images/anime/1.jpg"
    assert not gintama.adult
    assert secret.adult
    assert secret.mean is None
    assert (bare.type, bare.genres, bare.episodes, bare.year, bare.picture) == (None, (), None, None, None)
    assert bare.adult
    assert catalogue.adult_ids == (2, 3)


@pytest.mark.parametrize("row", ["x,Name,,TV,1,7,1\n", ",Name,,TV,1,7,1\n", "-4,Name,,TV,1,7,1\n"])
def test_an_anime_without_an_id_is_left_out_with_its_line(tmp_path: Path, row: str) -> None:
    table = read_anime_table(write(tmp_path / "a.csv", ANIME_HEAD + "1,Name,,TV,1,7,1\n" + row))
    assert list(table.catalogue) == [1]
    assert table.dropped == {"impossible anime id": 1}
    assert table.examples == {"impossible anime id": ("a.csv, line 3",)}


def test_an_anime_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"a\.csv"):
        read_anime_table(write(tmp_path / "a.csv", "anime_id,name\n1,x\n"))
