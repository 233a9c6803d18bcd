"""Methods that Hakken is compared with: simple rules, and methods of other libraries with suitable settings."""

from hakken.evaluation.comparison_methods.implicit_feedback import Als, Ease, Ease200, ItemKnn
from hakken.evaluation.comparison_methods.simple import Baseline, ItemMean, Original, Popularity
from hakken.evaluation.comparison_methods.surprise_methods import SurpriseKnnBaseline, SurpriseSvd, SurpriseSvdpp

COMPARISON_METHODS = (
    Popularity,
    ItemMean,
    Baseline,
    Original,
    ItemKnn,
    Als,
    Ease,
    Ease200,
    SurpriseKnnBaseline,
    SurpriseSvd,
    SurpriseSvdpp,
)
"""All methods, in the order in which they are run and shown."""
