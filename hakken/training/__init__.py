"""Training: reading tables, baselines, similarities, preference weights, tuning. Web workers never import it."""

import os
from pathlib import Path

from hakken.files import cache_directory, private_directory, temporary_directory

# Both libraries read these when they are imported. Surprise makes a directory in the home for sets that we never load.
os.environ.setdefault("SURPRISE_DATA_FOLDER", temporary_directory())
if not os.access(Path(__file__).parent, os.W_OK):  # where Numba keeps compiled kernels otherwise
    kept = private_directory(cache_directory(os.environ.get("HAKKEN_CACHE_DIR", "")) / "numba")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kept or temporary_directory()))

from hakken.training.knn_baseline import HakkenKNNBaseline  # imports Surprise and Numba
from hakken.training.pipeline import Fitted, fit  # imports Numba

__all__ = ["Fitted", "HakkenKNNBaseline", "fit"]
