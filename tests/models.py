"""Models for tests: a small one of the real shape, stored beside this file, and ways to change one."""

import dataclasses
import shutil
from pathlib import Path

import msgspec
import pytest

from hakken.bundle import ModelBundle
from hakken.catalogue import FILE_NAME, Anime, Catalogue
from hakken.model import Parameters, store
from hakken.model.store import Artefact

SMALL = Path(__file__).with_name("model")
"""`tests/training/test_trained_model.py` holds it to what training gives today."""
N_ITEMS = 250
ADULT_ID = 3
PARAMETERS = Parameters(k_stored=60, min_raters=1)


def small_catalogue() -> Catalogue:
    """Titles for the small table; the last few anime are missing, and one is for adults only."""
    return Catalogue(
        Anime(anime_id=i, title=f"Anime {i}", type="TV", genres=("Drama",), members=i * 10, adult=i == ADULT_ID)
        for i in range(1, N_ITEMS - 3)
    )


def with_parameters(bundle: ModelBundle, **parameters: float) -> ModelBundle:
    """A bundle some of whose parameters are others."""
    manifest = bundle.model.manifest
    changed = msgspec.structs.replace(manifest.parameters, **parameters)
    model = dataclasses.replace(bundle.model, manifest=msgspec.structs.replace(manifest, parameters=changed))
    return ModelBundle(model, bundle.catalogue)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the small model's artefact. Not to be changed: see `artefact`."""
    out = tmp_path_factory.mktemp("models") / "small"
    shutil.copytree(SMALL, out)
    return out


@pytest.fixture(scope="session")
def bundle(trained: Path) -> ModelBundle:
    return ModelBundle.read(store.open_artefact(trained))


@pytest.fixture(scope="session")
def embedded() -> ModelBundle:
    """The model that comes with the code."""
    return ModelBundle.read(store.open_artefact(store.EMBEDDED))


@pytest.fixture(scope="session")
def versions(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Artefact]:
    """Four versions of the small model. Not to be changed."""
    return versions_of(trained, tmp_path_factory.mktemp("versions"), 4)


def versions_of(trained: Path, root: Path, number: int) -> list[Artefact]:
    """Versions of a small model that are told apart by every title: "A 1", "B 1" and so on; genres go with them."""
    made = []
    for letter, hour in zip("ABCDEFGH"[:number], range(number), strict=True):
        directory = root / letter
        shutil.copytree(trained, directory)
        anime = [
            msgspec.structs.replace(one, title=f"{letter} {one.anime_id}", genres=(f"Genre{letter}",))
            for one in small_catalogue().values()
        ]
        Catalogue(anime).write(directory / FILE_NAME)
        (directory / "manifest.json").unlink()
        old = store.read_manifest(trained).manifest
        new = msgspec.structs.replace(old, created=f"2026-01-01T{hour:02}:00:00Z")
        made.append(store.write_manifest(directory, new))
    return made
