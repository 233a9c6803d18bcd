"""What Hakken is compared with: simple rules, and methods of other libraries with settings that suit them."""

from hakken.evaluation.rivals.implicit_feedback import Als, Ease, Ease200, ItemKnn
from hakken.evaluation.rivals.simple import Baseline, ItemMean, Original, Popularity
from hakken.evaluation.rivals.surprises import SurpriseKnnBaseline, SurpriseSvd, SurpriseSvdpp

RIVALS = (
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
"""All of them, in the order in which they are tried and shown."""
