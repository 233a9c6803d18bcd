"""What recommendations are made from: a model and the catalogue that goes with it."""

from typing import NamedTuple, Self

from hakken.catalogue import FILE_NAME, Catalogue
from hakken.model import Model
from hakken.model.store import Artefact


class Knowledge(NamedTuple):
    """Model and catalogue of one artefact; they are opened, and one day replaced, together."""

    model: Model
    catalogue: Catalogue

    @classmethod
    def read(cls, artefact: Artefact) -> Self:
        """Open what a verified artefact holds.

        Raises:
            ArtefactCorrupt: its files are whole, yet can't be used.
        """
        return cls(Model.open(artefact), Catalogue.read(artefact.path(FILE_NAME)))
