"""The small table that the stored model was trained on, and tables that commands read."""

from pathlib import Path

import click.testing
import pytest

from benchmarks.synthetic import Entries, synthetic_entries
from hakken.training.tables import RatingTable, read_ratings
from tests.browser.browsing import browser
from tests.models import N_ITEMS, bundle, embedded, trained
from tests.training.commands import Train, run

__all__ = ["browser", "bundle", "embedded", "trained"]


@pytest.fixture(scope="session")
def entries() -> Entries:
    return synthetic_entries(400, N_ITEMS, 16_000, seed=7)


@pytest.fixture(scope="session")
def ratings_csv(entries: Entries, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "ratings.csv"
    entries.frame().to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def small_ratings_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller table, for tests that fit all methods or compute slow versions."""
    path = tmp_path_factory.mktemp("tables") / "small.csv"
    synthetic_entries(150, 80, 4_000, seed=3).frame().to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def table(ratings_csv: Path) -> RatingTable:
    return read_ratings(ratings_csv)


@pytest.fixture
def anime_csv(tmp_path: Path) -> Path:
    path = tmp_path / "anime.csv"
    path.write_text("anime_id,name,genre,type,episodes,rating,members\n10,Ten,Drama,TV,12,7.5,100\n")
    return path


@pytest.fixture
def train(ratings_csv: Path, anime_csv: Path, tmp_path: Path) -> Train:
    def train(*options: str | Path, ratings: Path = ratings_csv, status: int = 0) -> click.testing.Result:
        tables = ("--ratings", ratings, "--anime", anime_csv, "--out", tmp_path / "model")
        return run("train", *tables, *options, status=status)

    return train
