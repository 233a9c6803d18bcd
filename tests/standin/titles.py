"""The anime that the stand-in describes in our own words. Any other gets facts made up for it, always the same."""

from typing import NamedTuple

LAST_ID = 70_000
"""No anime has a higher id here."""
_SEASONS = ("winter", "spring", "summer", "fall")


class Title(NamedTuple):
    """What is known about an anime, before a site puts it in its words."""

    anime_id: int
    title: str
    english: str | None = None
    japanese: str | None = None
    synonyms: tuple[str, ...] = ()
    type: str | None = "TV"
    episodes: int | None = 12
    year: int | None = None
    month: int = 4
    season: str | None = None
    rating: str | None = "PG-13"
    score: float | None = None
    members: int | None = None
    synopsis: str | None = None
    genres: tuple[str, ...] = ()
    explicit: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    demographics: tuple[str, ...] = ()
    studios: tuple[str, ...] = ()
    relations: tuple[tuple[str, int, str], ...] = ()
    """Such as ("Side story", 5, "anime")."""
    streaming: tuple[tuple[str, str], ...] = ()
    picture: bool = True
    nsfw: str = "white"
    source: str = "Original"


ODD_ID = 43
_BEBOP = "Bounty hunters drift from planet to planet, short of money and fuel. Each is running from something."
TITLES = {
    one.anime_id: one
    for one in (
        Title(1, "Cowboy Bebop", "Cowboy Bebop", "カウボーイビバップ", (), "TV", 26, 1998, 4, "spring", "R", 8.75,
              1_900_000, f"{_BEBOP}\n\n\n\nThen an old friend turns up.\n\n[Written by MAL Rewrite]",
              ("Action", "Sci-Fi"), (), ("Space", "Adult Cast"), (), ("Sunrise",),
              (("Adaptation", 173, "manga"), ("Side story", 5, "anime"), ("Summary", 4037, "anime")),
              (("Crunchyroll", "https://stream.invalid/bebop?a=1&b=2"), ("Netflix", "https://stream.invalid/2"))),
        Title(5, "Cowboy Bebop: Tengoku no Tobira", "Cowboy Bebop: The Movie", "カウボーイビバップ 天国の扉",
              ("Cowboy Bebop: Knockin' on Heaven's Door",), "Movie", 1, 2001, 9, None, "R", 8.38, 380_000,
              "A tanker blows up on the highway, and what it leaves in the air is worse than the fire.",
              ("Action", "Sci-Fi"), (), ("Space",), (), ("Bones",), (("Parent story", 1, "anime"),)),
        Title(30, "Neon Genesis Evangelion", None, "新世紀エヴァンゲリオン", ("NGE",), "TV", 26, 1995, 10, "fall", "R+",
              8.35, 1_800_000, "A boy is called to his father&#039;s side, to drive what he is afraid of.",
              ("Action", "Drama"), (), ("Mecha", "Psychological"), (), ("Gainax", "Tatsunoko Production"),
              (("Sequel", 32, "anime"), ("Other", 5391, "anime"))),
        Title(199, "Sen to Chihiro no Kamikakushi", "Spirited Away", "千と千尋の神隠し", (), "Movie", 1, 2001, 7, None,
              "PG", 8.77, 1_900_000, "A girl whose parents were turned into pigs finds work in a bath-house for gods.",
              ("Adventure", "Award Winning"), (), (), (), ("Studio Ghibli",)),
        Title(849, "Suzumiya Haruhi no Yuuutsu", "The Melancholy of Haruhi Suzumiya", "涼宮ハルヒの憂鬱",
              ("Suzumiya &quot;Haruhi&quot;",), "TV", 14, 2006, 4, "spring", "PG-13", 7.83, 900_000,
              "She is bored, and the world had better not be.<br><br/>Nobody dares to tell her &amp; why.",
              ("Award Winning", "Comedy"), (), ("School",), (), ("Kyoto Animation",)),
        Title(918, "Gintama", "Gintama &amp; Friends", "銀魂", ("Gin Tama", "Silver Soul"), "TV", 201, 2006, 4,
              "spring", "PG-13", 8.94, 1_000_000, "Aliens won the war. Samurai do odd jobs.", ("Action", "Comedy"), (),
              ("Samurai",), ("Shounen",), ("Sunrise",), (("Sequel", 9969, "anime"),)),
        Title(9253, "Steins;Gate", None, "シュタインズ・ゲート", (), "TV", 24, 2011, 4, "spring", "PG-13", 9.07,
              2_600_000, "A microwave sends a text message to last week.", ("Drama", "Sci-Fi"), (), ("Time Travel",),
              (), ("White Fox",), (("Sequel", 30484, "anime"),)),
        Title(16498, "Shingeki no Kyojin", "Attack on Titan", "進撃の巨人", ("AoT", "SnK"), "TV", 25, 2013, 4, "spring",
              "R", 8.56, 4_000_000, "What is behind the wall looks over it.", ("Action", "Award Winning"), (),
              ("Gore",), ("Shounen",), ("Wit Studio",), (("Sequel", 25777, "anime"),), nsfw="gray",
              source="4-koma manga"),
        Title(21, "ONE PIECE ☄️", None, "ワンピース", ("OP",), "TV", None, 1999, 10, "fall", "PG-13", 8.72, 2_500_000,
              "A boy of rubber goes to sea.", ("Action", "Adventure"), (), (), ("Shounen",), ("Toei Animation",)),
        Title(188, "Toumei ningen", None, "透明", (), "OVA", 1, 2000, 1, None, "Rx", 6.1, 9_000, "For adults only.", (),
              ("Hentai",), (), (), ("Arms",), nsfw="black"),
        Title(7, "Nothing is known", None, None, (), None, None, None, 1, None, None, None, None, None, picture=False,
              source="Unknown"),
        Title(4037, "Cowboy Bebop: Yose Atsume Blues", None, None, (), "TV Special", 1, 1998, 6, None, "PG-13", 7.4,
              80_000, "All that could not be shown.", ("Sci-Fi",), (), (), (), ("Sunrise",),
              (("Full story", 1, "anime"),)),
        Title(ODD_ID, "Of the wrong kinds", None, None, (), "TV", 1, 1995, 1, None, "R+", 8.2, 500, "Is still there."),
    )
}  # fmt: skip
_ODD: dict[str, object] = {
    "title": 86,
    "genres": [{"name": 7}, None, {"name": "Sci-Fi"}],
    "studios": {"name": "Production I.G"},
}
ODD_JIKAN = _ODD | {
    "images": "none",
    "score": "high",
    "year": [],
    "source": ["Manga"],
    "aired": {"prop": {"from": {"year": "MCMXCV"}}},
    "episodes": 1.5,
    "relations": [{"relation": "Sequel", "entry": [{"mal_id": "x", "type": "anime"}]}, 5],
    "streaming": [{"name": "Evil", "url": "javascript:alert(1)"}],
    "members": -1,
}
ODD_MAL = _ODD | {
    "main_picture": ["none"],
    "mean": "high",
    "start_date": 1995,
    "source": {},
    "start_season": {"year": "1995", "season": 1},
    "num_episodes": 1.5,
    "related_anime": [{"node": {"id": "x"}, "relation_type": "sequel"}, 5],
    "num_list_users": -1,
}
UNREADABLE: tuple[object, ...] = (None, {"title": "Without an id"})
"""Entries that stand among the others of a list."""
listed = sorted(TITLES)
"""Ids of the anime that the lists hold; a test may have more of them."""


def title(anime_id: int) -> Title | None:
    """What is known about an anime, made up where it is not described; None where there is none."""
    if anime_id in TITLES:
        return TITLES[anime_id]
    if not 0 < anime_id <= LAST_ID:
        return None
    return Title(
        anime_id,
        f"Title {anime_id}",
        year=1970 + anime_id % 50,
        season=_SEASONS[anime_id % 4],
        score=5 + anime_id % 40 / 10,
        members=anime_id * 7919 % 300_000,
        synopsis=f"Number {anime_id} sets out and finds more than was looked for.",
        genres=("Adventure", "Drama") if anime_id % 2 else ("Comedy",),
        studios=("Studio of the Stand-in",),
    )
