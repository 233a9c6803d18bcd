"""Models to serve: a large one, and versions of one that can be told apart in every answer."""

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.recommending import synthetic_bundle
from hakken import catalogue
from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Catalogue
from hakken.model import store
from hakken.model.store import Artefact, write_manifest
from tests.serving import ROOT

SIGN = "§"
"""Ends a version's mark, which every title in it begins with."""


def large(directory: Path) -> Artefact:
    """Write a model of 14,000 anime with 200 neighbours and 200 preference weights each."""
    bundle = synthetic_bundle()
    directory.mkdir(parents=True)
    bundle.model.arrays.save(directory)
    bundle.catalogue.write(directory / catalogue.FILE_NAME)
    return write_manifest(directory, bundle.model.manifest)


def marked(directory: Path, mark: str) -> Artefact:
    """Write the embedded model with a mark in front of all titles."""
    embedded = ModelBundle.read(store.open_artefact(store.EMBEDDED))
    shutil.copytree(store.locate(store.EMBEDDED)[0], directory)
    titles = (msgspec.structs.replace(one, title=f"{mark}{SIGN}{one.title}") for one in embedded.catalogue.values())
    return put_catalogue(directory, Catalogue(titles))


def publish(artefact: Artefact, target: Path) -> None:
    """Make a version the current one of a directory that servers follow, by the command."""
    command = [sys.executable, "-m", "hakken", "publish", "--quiet", str(artefact.directory), target.as_uri()]
    subprocess.run(command, cwd=ROOT, check=True)
