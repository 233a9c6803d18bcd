"""The operations of the API."""

from hakken import errors
from hakken.listing import Listing
from hakken.taste import Profile
from hakken.web.api import examples, views
from hakken.web.api.answers import Facts, FoundTitles, ModelFacts, Neighbours
from hakken.web.api.operations import BY_NAME, Operation
from hakken.web.api.options import (
    ListBody,
    NeighboursQuery,
    RecommendationsBody,
    RecommendationsQuery,
    SearchQuery,
    TasteQuery,
)

OPERATIONS = (
    Operation(
        name="recommend",
        path="/recommendations",
        summary="Recommend to someone whose list is on a site",
        description="The options are those of the page, by the same names; a list is given by repeating its name. With "
        "`sample=1` no site is asked.",
        view=views.recommend_by_name,
        answer=Listing,
        example=examples.LISTING,
        query=RecommendationsQuery,
        asked={"sample": "1", "n": 3, "genre": ["Action"]},
        problems=BY_NAME,
    ),
    Operation(
        name="recommendToList",
        path="/recommendations",
        summary="Recommend from a list that is sent",
        description="No site is asked, and nothing of the list is kept. A score of 0 means that there is none; without "
        "a status an entry is completed. Whole numbers have no fraction: 9, not 9.0.",
        view=views.recommend_to_list,
        answer=Listing,
        example=examples.LISTING,
        body=RecommendationsBody,
        sent={
            "ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 9253, "score": 10, "status": "watching"}],
            "n": 3,
            "year_from": 2000,
        },
    ),
    Operation(
        name="searchAnime",
        path="/anime",
        summary="Find titles by any of their names",
        description="Any name, abbreviation or part of a name will do. What more people know comes first, where names "
        "match alike; names that look alike are given only where none matches. No title, and a note, says that "
        "nothing like it is known.",
        view=views.search,
        answer=FoundTitles,
        example=examples.FOUND,
        query=SearchQuery,
        asked={"q": "cowbyo bebop", "limit": 3},
        kept=True,
    ),
    Operation(
        name="getAnime",
        path="/anime/{anime_id}",
        summary="What this server knows of a title",
        description="Pictures are named only where they are of the hosts that this server's pages show pictures from.",
        view=views.facts,
        answer=Facts,
        example=examples.FACTS,
        asked={"anime_id": 1},
        problems=(errors.UnknownTitle,),
        kept=True,
    ),
    Operation(
        name="getNeighbours",
        path="/anime/{anime_id}/neighbours",
        summary="Which titles are near one",
        description="What is nearest goes by how people scored, what is also liked by what they chose to watch.",
        view=views.neighbours,
        answer=Neighbours,
        example=examples.NEIGHBOURS,
        query=NeighboursQuery,
        asked={"anime_id": 1, "limit": 3},
        problems=(errors.UnknownTitle,),
        kept=True,
    ),
    Operation(
        name="getTaste",
        path="/taste",
        summary="What a list on a site says about its owner's taste",
        description="Scores are held against what people in general gave the same titles. With `sample=1` no site is "
        "asked.",
        view=views.taste_by_name,
        answer=Profile,
        example=examples.TASTE,
        query=TasteQuery,
        asked={"sample": "1"},
        problems=BY_NAME,
    ),
    Operation(
        name="tasteOfList",
        path="/taste",
        summary="What a list that is sent says about its owner's taste",
        description="No site is asked, and nothing of the list is kept.",
        view=views.taste_of_list,
        answer=Profile,
        example=examples.TASTE,
        body=ListBody,
        sent={"ratings": [{"anime_id": 1535, "score": 9}, {"anime_id": 269, "score": 6}]},
    ),
    Operation(
        name="getModel",
        path="/model",
        summary="What lists are made with",
        description="Lists change when the version does, and when the list that they are made from does.",
        view=views.model,
        answer=ModelFacts,
        example=examples.MODEL,
        kept=True,
    ),
)
