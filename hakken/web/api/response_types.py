"""What the API answers, beside lists and taste: titles, neighbours and the model."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Link
from hakken.listing import ModelName
from hakken.model import Model, Parameters
from hakken.model.manifest import Sizes
from hakken.neighbours import AlsoLiked, Neighbour, Standing
from hakken.web.services import services
from hakken.web.template_filters import picture_address, watch_links


class FoundTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title that was found; a fact that the catalogue lacks is null."""

    anime_id: Annotated[int, Meta(description="MyAnimeList id.")]
    title: Annotated[str, Meta(description="The main (romanised) title.")]
    title_english: Annotated[str | None, Meta(description="The English title, where it differs from `title`.")]
    type: Annotated[str | None, Meta(description="TV, Movie, OVA, Special, ONA or Music.")]
    year: Annotated[int | None, Meta(description="Of the first episode.")]
    episodes: Annotated[int | None, Meta(description="How many there are.")]
    url: Annotated[str, Meta(description="The title's page on MyAnimeList.")]

    @classmethod
    def of(cls, anime: Anime) -> Self:
        """The facts of a search result."""
        return cls(**{name: getattr(anime, name) for name in cls.__struct_fields__})


class FoundTitles(msgspec.Struct, frozen=True):
    """What a search found."""

    anime: Annotated[
        tuple[FoundTitle, ...],
        Meta(description="The likeliest first; none where no title is like what was searched for."),
    ]
    notes: Annotated[
        tuple[str, ...],
        Meta(description="What there is to say about the search, such as that nothing of the name is known."),
    ]


class Facts(Anime, frozen=True, kw_only=True, omit_defaults=False):
    """All that this server knows of one title; a fact that it lacks is null, or empty."""

    url: Annotated[str, Meta(description="The title's page on MyAnimeList.")]
    recommendable: Annotated[
        bool,
        Meta(
            description="Whether the model knows the title, if only by its attributes, so that it can be recommended."
        ),
    ]

    @classmethod
    def of(cls, anime: Anime, bundle: ModelBundle) -> Self:
        """The facts of a title; its external addresses are checked as for the pages."""
        shown = msgspec.structs.asdict(anime) | {
            "picture": picture_address(anime.picture, services().settings.pictures_from),
            "relations": anime.relations and tuple(related for related in anime.relations if related.likely),
            "streaming": tuple(Link(one.service, one.url) for one in watch_links(anime.streaming)),
        }
        _, rows = bundle.model.rows_of([anime.anime_id])
        return cls(**shown, url=anime.url, recommendable=bool(rows.all()))


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The titles that are near one; of a title that the model learnt from nobody, none."""

    nearest: Annotated[
        tuple[Neighbour, ...], Meta(description="Scored alike by the same people, the most alike first.")
    ]
    also_liked: Annotated[
        tuple[AlsoLiked, ...],
        Meta(
            description="What those who watched and liked the title are likely to watch and like, the likeliest first."
        ),
    ]
    standing: Annotated[
        Standing | None,
        Meta(description="Where the title stands among all that people were seen to watch; null where nobody was."),
    ]


class ModelFacts(ModelName, frozen=True, kw_only=True):
    """What lists are made with."""

    hakken_version: Annotated[str, Meta(description="Of the code that trained it.")]
    mu: Annotated[float, Meta(description="Mean of all ratings that it was trained on.")]
    sizes: Annotated[Sizes, Meta(description="How much it was made from, and how much it holds.")]
    parameters: Annotated[Parameters, Meta(description="Its hyper-parameters.")]

    @classmethod
    def of(cls, model: Model) -> Self:
        """The facts of a model."""
        manifest = model.manifest
        shared = (name for name in cls.__struct_fields__ if name != "version")
        return cls(version=model.version, **{name: getattr(manifest, name) for name in shared})
