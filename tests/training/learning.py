"""Tables and catalogues to learn titles from: small, and with the corners that real ones have."""

from pathlib import Path

import numpy as np

from hakken.catalogue import Anime, Catalogue, Related
from hakken.model import Parameters, store
from hakken.model.store import Artefact
from hakken.training import pipeline
from hakken.training.tables import RatingTable

N_TITLES, N_USERS = 150, 90
UNWATCHED = range(5, N_TITLES, 10)
"""Ids of titles that are on no list."""


def train(table: RatingTable, titles: Catalogue, out: Path, parameters: Parameters) -> Artefact:
    """Train a model and write it, as the command does."""
    with store.replacing(out) as staged:
        artefact = pipeline.save(pipeline.fit(table, parameters, titles), titles, staged)
    return artefact._replace(directory=out)


def titles(seed: int = 0) -> Catalogue:
    """Titles 1 to 150, of which some lack a year, members or genres, and some may not be judged by attributes."""
    rng = np.random.default_rng(seed)

    def one(anime_id: int) -> Anime:
        series = anime_id - (anime_id - 1) % 3 if anime_id % 4 else None
        return Anime(
            anime_id=anime_id,
            title=f"Title {anime_id}" + (" Recap" if anime_id % 29 == 0 else ""),
            type=str(rng.choice(["TV", "TV", "Movie", "OVA"])) if anime_id % 31 else "Music",
            genres=("Drama", *(["Action"] if rng.random() < 0.75 else []), *(["Rare"] if rng.random() < 0.1 else []))
            if anime_id % 23
            else (),
            tags=("Space",) if rng.random() < 0.8 else (),
            studios=("bones",) if rng.random() < 0.2 else (),
            made_from="manga" if rng.random() < 0.8 else None,
            year=int(rng.integers(1995, 2024)) if anime_id % 11 else None,
            members=int(10 ** rng.uniform(1, 6)) if anime_id % 7 else None,
            adult=anime_id % 37 == 0,
            series=series,
            story=1 + anime_id % 7 if anime_id % 5 else None,
            universe=1 + anime_id % 2,
            relations=(Related(anime_id + 1, "Summary", 0.9),) if anime_id % 41 == 0 else None,
        )

    return Catalogue(one(anime_id) for anime_id in range(1, N_TITLES + 1))


def lists(seed: int = 0) -> RatingTable:
    """Lists of any status and length over titles, two of which no catalogue knows; half of the lists are dated."""
    rng = np.random.default_rng(seed)
    ids = np.array([*sorted({*range(1, N_TITLES + 1)} - {*UNWATCHED}), 901, 902], dtype=np.int32)
    liked = 0.1 + rng.random(len(ids))
    of_series = rng.random((N_USERS, len(ids)))[:, (ids - 1) // 3 % len(ids)]  # who watches one watches the next
    chance = 0.6 * of_series + 0.4 * rng.random((N_USERS, len(ids)))
    watched = chance < liked * rng.random(N_USERS)[:, None]
    watched[0, :30] = True
    users, items = np.nonzero(watched)
    statuses = rng.choice([0, 1, 2, 2, 2, 2, 3, 4, 6], len(users)).astype(np.int8)
    scores = rng.integers(0, 11, len(users)).astype(np.int8)
    scores[statuses == 0] = 0
    updated = np.where(rng.random(N_USERS) < 0.5, rng.integers(11_000, 20_500, N_USERS), 0).astype(np.int32)
    return RatingTable(
        anime_ids=ids,
        n_users=N_USERS,
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        scores=scores,
        rows=len(users),
        statuses=statuses,
        updated=updated,
    )
