"""What only training needs: reading tables, baselines, similarities. Never imported by a web worker."""

from hakken.training.pipeline import Fitted, fit, train

__all__ = ["Fitted", "fit", "train"]
