"""Answers for the API's document to show. Typed, so that they can't say what no answer would."""

from hakken.catalogue import Link, Related
from hakken.listing import Listed, Listing, ModelName
from hakken.model import Parameters
from hakken.model.manifest import Sizes
from hakken.neighbours import AlsoLiked, Neighbour, Standing
from hakken.ratings import Reason
from hakken.taste import Counts, Generosity, Leaning, Opinion, Profile, ScoreShare, Span
from hakken.web.api.response_types import Facts, FoundTitle, FoundTitles, ModelFacts, Neighbours

VERSION, CREATED, DATA_TIME = "20261123T211635Z-8c5f0d1e9a47", "2026-11-23T21:16:35Z", "2026-03"

LISTING = Listing(
    recommendations=(
        Listed(
            anime_id=5114,
            title="Fullmetal Alchemist: Brotherhood",
            predicted_rating=9.47,
            match=1.84,
            support=21494,
            neighbours=48,
            reasons=(Reason(1535, "Death Note", 9, 0.31), Reason(9253, "Steins;Gate", 10, 0.27)),
            title_english=None,
            type="TV",
            genres=("Action", "Adventure", "Drama"),
            year=2009,
            episodes=64,
            url="https://myanimelist.net/anime/5114",
        ),
        Listed(
            anime_id=54863,
            title="Trigun Stargaze",
            predicted_rating=None,
            match=0.08,
            support=0,
            neighbours=0,
            reasons=(Reason(6, "Trigun", 0, 0.07, planned=True),),
            by_attributes=True,
            series_note="Its series begins with Trigun Stampede, which the filters leave out.",
            title_english=None,
            type="TV",
            genres=("Action", "Adventure", "Sci-Fi"),
            year=2026,
            episodes=12,
            url="https://myanimelist.net/anime/54863",
        ),
    ),
    continues=(
        Listed(
            anime_id=30484,
            title="Steins;Gate 0",
            predicted_rating=8.72,
            match=0.66,
            support=812,
            neighbours=31,
            reasons=(Reason(9253, "Steins;Gate", 10, 0.42),),
            series_note="Part 2 of 2.",
            title_english=None,
            type="TV",
            genres=("Sci-Fi", "Thriller"),
            year=None,
            episodes=None,
            url="https://myanimelist.net/anime/30484",
        ),
    ),
    model=ModelName(VERSION, CREATED, DATA_TIME),
    notes=(
        "1 watched title is new to the model (Sousou no Frieren): it counts as seen, but nothing is learnt from it.",
    ),
)
FOUND = FoundTitles(
    (
        FoundTitle(
            anime_id=1,
            title="Cowboy Bebop",
            title_english=None,
            type="TV",
            year=1998,
            episodes=26,
            url="https://myanimelist.net/anime/1",
        ),
    ),
    notes=(),
)
FACTS = Facts(
    anime_id=1,
    title="Cowboy Bebop",
    title_japanese="カウボーイビバップ",
    type="TV",
    episodes=26,
    genres=("Action", "Adventure", "Sci-Fi"),
    year=1998,
    season="Spring 1998",
    start_date="1998-04-03",
    made_from="original",
    tags=("Space", "Crime", "Episodic"),
    studios=("sunrise",),
    mean=8.82,
    members=486824,
    picture="https://cdn.myanimelist.net/images/anime/4/19644.jpg",
    synopsis="In the year 2071, humanity has colonised several of the planets and moons of the solar system.",
    relations=(Related(5, "Side story"),),
    streaming=(Link("Crunchyroll", "https://www.crunchyroll.com/series/GYVNXMVP6"),),
    series=1,
    part=1,
    url="https://myanimelist.net/anime/1",
    recommendable=True,
)
MODEL = ModelFacts(
    version=VERSION,
    created=CREATED,
    data_time=DATA_TIME,
    hakken_version="0.1.0",
    mu=7.81,
    sizes=Sizes(users=5877, items=7561, entries=612636, scored=494301, neighbours=983214, preferences=1204481),
    parameters=Parameters(),
)
NEIGHBOURS = Neighbours(
    nearest=(Neighbour(5, "Cowboy Bebop: Tengoku no Tobira", 0.464, 385),),
    also_liked=(AlsoLiked(205, "Samurai Champloo", 0.11),),
    standing=Standing(
        titles=7561,
        watchers=1220,
        watchers_rank=39,
        members=486824,
        members_rank=31,
        members_of=7561,
        raters=1053,
        b_i=1.27,
        rating_rank=39,
        rating_of=1943,
        better_than=0.98,
    ),
)
TASTE = Profile(
    counts=Counts(
        entries=47,
        watching=2,
        completed=42,
        on_hold=1,
        dropped=1,
        plan_to_watch=1,
        known=47,
        scored=44,
        compared=44,
    ),
    mean=8.14,
    scores=(ScoreShare(9, 12, 0.273, 0.199), ScoreShare(10, 5, 0.114, 0.15)),
    generosity=Generosity(
        -0.61,
        0.157,
        "You rate 0.6 points lower than people on average rate the same titles: more strictly than 84 % of them.",
    ),
    genres=(Leaning("Psychological", 9, 8.56, 0.097, clear=False), Leaning("Romance", 10, 7.4, -0.165, clear=False)),
    years=(Span(1995, 1999, 9, 9, 8.44, 0.08, clear=False), Span(2000, 2004, 10, 10, 8.1, 0.015, clear=False)),
    undated=0,
    above=(Opinion(457, "Mushishi", 10, 8.57, 1.43),),
    below=(Opinion(11757, "Sword Art Online", 4, 7.48, -3.48),),
    notes=(),
)
