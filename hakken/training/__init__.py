"""Training: reading tables, baselines, similarities, preference weights, tuning. Web workers never import it."""

from hakken.training.knn_baseline import HakkenKNNBaseline
from hakken.training.pipeline import Fitted, fit

__all__ = ["Fitted", "HakkenKNNBaseline", "fit"]
