"""What serving needs: the arrays, the artefact they are stored in, preference, prediction and ranking. NumPy only."""

from hakken.model.arrays import Model
from hakken.model.hyperparameters import TEXTBOOK, Parameters
from hakken.model.list_columns import ListColumns
from hakken.model.manifest import Manifest, People
from hakken.model.prediction import Visitor, fold_in, predict, top_n
from hakken.model.preference import preference

__all__ = [
    "TEXTBOOK",
    "ListColumns",
    "Manifest",
    "Model",
    "Parameters",
    "People",
    "Visitor",
    "fold_in",
    "predict",
    "preference",
    "top_n",
]
