"""What the API answers, beside lists and taste: titles, neighbours and the model."""

from typing import Annotated

import msgspec

from hakken.about import about
from hakken.catalogue import Anime
from hakken.listing import EnglishTitle, Episodes, ModelName, Page, Type, Year
from hakken.model import Parameters
from hakken.model.manifest import Sizes
from hakken.neighbours import AlsoLiked, Neighbour, Standing


class FoundTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title that was found; a fact that the catalogue lacks is null."""

    anime_id: Annotated[int, about("MyAnimeList id.")]
    title: Annotated[str, about("The main (romanised) title.")]
    title_english: EnglishTitle
    type: Type
    year: Year
    episodes: Episodes
    url: Page


class FoundTitles(msgspec.Struct, frozen=True):
    """What a search found."""

    anime: Annotated[
        tuple[FoundTitle, ...],
        about("The likeliest first; none where no title is like what was searched for."),
    ]
    notes: Annotated[
        tuple[str, ...],
        about("What there is to say about the search, such as that nothing of the name is known."),
    ]


class Facts(Anime, frozen=True, kw_only=True, omit_defaults=False):
    """All that this server knows of one title; a fact that it lacks is null, or empty."""

    url: Page
    recommendable: Annotated[
        bool,
        about("Whether the model knows the title, if only by its attributes, so that it can be recommended."),
    ]


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The titles that are near one; of a title that the model learnt from nobody, none."""

    nearest: Annotated[tuple[Neighbour, ...], about("Scored alike by the same people, the most alike first.")]
    also_liked: Annotated[
        tuple[AlsoLiked, ...],
        about("What those who watched and liked the title are likely to watch and like, the likeliest first."),
    ]
    standing: Annotated[
        Standing | None,
        about("Where the title stands among all that people were seen to watch; null where nobody was."),
    ]


class ModelFacts(ModelName, frozen=True, kw_only=True):
    """What lists are made with."""

    hakken_version: Annotated[str, about("Of the code that trained it.")]
    mu: Annotated[float, about("Mean of all ratings that it was trained on.")]
    sizes: Annotated[Sizes, about("How much it was made from, and how much it holds.")]
    parameters: Annotated[Parameters, about("Its hyper-parameters.")]
