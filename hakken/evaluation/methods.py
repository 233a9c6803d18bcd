"""All methods, made when they are asked for."""

from collections.abc import Callable, Mapping
from functools import partial

from hakken.catalogue import Catalogue
from hakken.evaluation.comparison_methods import COMPARISON_METHODS
from hakken.evaluation.hakken_method import Hakken
from hakken.evaluation.method import Method
from hakken.model import Parameters

Makers = Mapping[str, Callable[[], Method]]


def makers(parameters: Parameters, catalogue: Catalogue) -> Makers:
    """Say how each method is made, by name.

    Args:
        parameters: Hakken's hyper-parameters.
        catalogue: of the titles, for Hakken; may be empty.
    """
    return {Hakken.name: partial(Hakken, parameters, catalogue), **{rival.name: rival for rival in COMPARISON_METHODS}}
