"""Hakken: item-based KNN-with-baseline anime recommendations."""

__version__ = "0.1.0"
