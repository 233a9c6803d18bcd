"""What the API answers, beside lists: titles, and the model."""

from typing import Self

import msgspec

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Link
from hakken.model import Model, Parameters
from hakken.model.manifest import Sizes
from hakken.neighbours import AlsoLiked, Neighbour, Standing
from hakken.web.addresses import picture_address, watch_links
from hakken.web.services import services


class FoundTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title that was found; a fact that the catalogue lacks is null.

    Attributes:
        anime_id: MyAnimeList id.
        title: the main (romanised) title.
        title_english: the English title, where it differs from `title`.
        type: TV, Movie, OVA, Special, ONA or Music.
        year: of the first episode.
        episodes: how many there are.
        url: the title's page on MyAnimeList.
    """

    anime_id: int
    title: str
    title_english: str | None
    type: str | None
    year: int | None
    episodes: int | None
    url: str

    @classmethod
    def of(cls, anime: Anime) -> Self:
        """What is said of a title that was found."""
        return cls(**{name: getattr(anime, name) for name in cls.__struct_fields__})


class FoundTitles(msgspec.Struct, frozen=True):
    """What a search found.

    Attributes:
        anime: the likeliest first; none where no title is like what was searched for.
        notes: what there is to say about the search, such as that nothing of the name is known.
    """

    anime: tuple[FoundTitle, ...]
    notes: tuple[str, ...]


class Facts(Anime, frozen=True, kw_only=True, omit_defaults=False):
    """All that this server knows of one title; a fact that it lacks is null, or empty.

    Attributes:
        picture: address of a cover.
        url: the title's page on MyAnimeList.
        recommendable: whether the model knows the title, if only by its attributes, so that it can be recommended.
    """

    url: str
    recommendable: bool

    @classmethod
    def of(cls, anime: Anime, bundle: ModelBundle) -> Self:
        """What is said of a title: its addresses are looked at as for the pages."""
        shown = msgspec.structs.asdict(anime) | {
            "picture": picture_address(anime.picture, services().settings.pictures_from),
            "relations": anime.relations and tuple(related for related in anime.relations if related.likely),
            "streaming": tuple(Link(one.service, one.url) for one in watch_links(anime.streaming)),
        }
        _, rows = bundle.model.rows_of([anime.anime_id])
        return cls(**shown, url=anime.url, recommendable=bool(rows.all()))


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The titles that are near one; of a title that the model learnt from nobody, none.

    Attributes:
        nearest: scored alike by the same people, the most alike first.
        also_liked: what those who watched and liked the title are likely to watch and like, the likeliest first.
        standing: where the title stands among all that people were seen to watch; null where nobody was.
    """

    nearest: tuple[Neighbour, ...]
    also_liked: tuple[AlsoLiked, ...]
    standing: Standing | None


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What lists are made with.

    Attributes:
        version: when the model was trained, and the beginning of its manifest's checksum.
        created: when it was trained, UTC.
        data_time: up to when the ratings go that it was trained on: a year, month, day or second, UTC; null where that
            is not known.
        hakken_version: of the code that trained it.
        mu: mean of all ratings that it was trained on.
        sizes: how much it was made from, and how much it holds.
        parameters: its hyper-parameters.
    """

    version: str
    created: str
    data_time: str | None
    hakken_version: str
    mu: float
    sizes: Sizes
    parameters: Parameters

    @classmethod
    def of(cls, model: Model) -> Self:
        """What is said of a model."""
        manifest = model.manifest
        shared = (name for name in cls.__struct_fields__ if name != "version")
        return cls(version=model.version, **{name: getattr(manifest, name) for name in shared})
