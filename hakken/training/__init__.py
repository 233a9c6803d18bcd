"""What only training needs: reading tables, baselines, similarities, tuning. Never imported by a web worker."""

from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.pipeline import Fitted, fit, train

__all__ = ["Fitted", "HakkenKNNBaseline", "fit", "train"]
