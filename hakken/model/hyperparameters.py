"""Hyper-parameters."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from hakken.about import about

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Regulariser = Annotated[float, Meta(ge=0, le=1e9)]
Strength = Annotated[float, Meta(gt=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Slope = Annotated[float, Meta(ge=0, le=2)]
Weight = Annotated[float, Meta(ge=0, le=10)]
Factor = Annotated[float, Meta(gt=0, le=10)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyper-parameters; the defaults are, rounded, what tuning found on 494,301 ratings: see docs/tuning."""

    reg_u: Annotated[Regulariser, about("Regulariser of the user biases.")] = 0.7
    reg_i: Annotated[Regulariser, about("Regulariser of the item biases.")] = 1.6
    n_epochs: Annotated[Positive, about("Rounds of alternating least squares for the biases.")] = 10
    shrinkage: Annotated[Regulariser, about("λ in (n_ij − 1) / (n_ij − 1 + λ).")] = 100.0
    siblings: Annotated[
        Share, about("What similarities within a series are shrunk towards; all others are shrunk towards 0.")
    ] = 0.4
    min_support: Annotated[Positive, about("Pairs of items rated by fewer users than this get similarity 0.")] = 1
    k_stored: Annotated[Positive, about("Neighbours kept per item.")] = 200
    min_similarity: Annotated[
        Share,
        about(
            "Neighbours that are less similar are kept only where they are among an item's 20 nearest, since with "
            "amplification others have no weight."
        ),
    ] = 0.1
    pref_stored: Annotated[
        Positive, about("Preference weights kept per item, at most; an item that few people watched keeps fewer.")
    ] = 200
    k: Annotated[Positive, about("Neighbours used for a prediction, at most.")] = 24
    amplification: Annotated[
        Factor, about("Exponent on a similarity when neighbours are weighted; above 1, the most similar weigh more.")
    ] = 2.8
    prior: Annotated[
        Regulariser, about("Added to the sum of the weights, so that few or weak neighbours move a prediction less.")
    ] = 0.04
    trust: Annotated[Share, about("Exponent by which neighbours weigh more for someone with a longer list.")] = 0.04
    trend_reg: Annotated[
        Regulariser,
        about(
            "Regulariser of how someone's scores go with a title's bias, popularity and age; 0 leaves these trends out."
        ),
    ] = 50.0
    min_raters: Annotated[
        Positive, about("Titles that fewer training users scored are left out of the order by predicted rating.")
    ] = 50
    liking: Annotated[
        Weight,
        about("How much more an entry counts for each score point above its user's mean; see hakken.model.preference."),
    ] = 0.15
    unscored: Annotated[Weight, about("How much an entry without a score counts.")] = 0.5
    unknown: Annotated[
        Weight,
        about("How much an entry without a score counts if it is unknown whether it was watched or planned."),
    ] = 0.4
    planned: Annotated[Weight, about("How much a planned entry counts.")] = 0.45
    activity: Annotated[
        Share,
        about("Exponent by which the entries of people with long lists count less when preference weights are learnt."),
    ] = 0.15
    pref_reg: Annotated[Strength, about("λ of the preference weights.")] = 140.0
    dropout: Annotated[
        float,
        Meta(ge=0, le=0.99),
        about("Average share of entries that are left out while preference weights are learnt."),
    ] = 0.13
    min_watchers: Annotated[
        Positive, about("Titles that fewer training users have on their lists get no preference weights.")
    ] = 5
    late: Annotated[
        Regulariser,
        about(
            "Number of people who could have watched a title at which its preference weights are doubled, since few "
            "people make them too small; see docs/time.md."
        ),
    ] = 160.0
    attribute_reg: Annotated[
        Strength, about("λ of the regression of preference weights on attributes; see hakken.training.attributes.")
    ] = 10_000.0
    attribute_support: Annotated[
        Strength, about("Number of watchers of a title at which its own weights and its attributes' weigh the same.")
    ] = 5.0
    novelty: Annotated[Slope, about("Exponent by which the match of a widely watched title is lowered.")] = 0.08
    pull: Annotated[
        Slope, about("How much each score point of a predicted rating above the baseline raises the match.")
    ] = 0.23
    quality: Annotated[Slope, about("How much each score point of an anime's own bias raises the match.")] = 0.09
    skipped: Annotated[
        Factor, about("Factor on the match of an entry of a series when the visitor has seen a later one.")
    ] = 1.4
    ahead: Annotated[
        Factor,
        about("Factor on the match of a title that is not the entry point of a series new to the visitor."),
    ] = 0.68
    everyone: Annotated[
        Weight, about("What is added to the preference for a title that everyone has on their list.")
    ] = 0.03
    trees: Annotated[
        int, Meta(ge=0, le=5000), about("Trees of the match, see hakken.training.ranking; 0 leaves them out.")
    ] = 100
    aversion: Annotated[
        Weight,
        about("How much a predicted rating below the visitor's mean lowers the match of a series that is new to them."),
    ] = 0.7
    implicit_slope: Annotated[
        float, Meta(ge=0, le=5), about("Score points that a preference of 1 adds to a predicted rating.")
    ] = 0.35
    implicit_offset: Annotated[
        float, Meta(ge=-5, le=5), about("Score points that a preference of 0 adds to it.")
    ] = -0.15
    implicit_length: Annotated[
        Share, about("Score points by which the rating falls when a list grows e-fold, as preferences grow with it.")
    ] = 0.057


TEXTBOOK = Parameters(
    reg_u=15.0,
    reg_i=10.0,
    shrinkage=100.0,
    siblings=0.0,
    k=20,
    min_similarity=0.0,
    amplification=1.0,
    prior=0.0,
    trust=0.0,
    trend_reg=0.0,
    implicit_slope=0.0,
    implicit_offset=0.0,
    implicit_length=0.0,
)
"""The formula as published, with the original Hakken's settings: the baseline of comparisons."""

LACKING: Mapping[int, Mapping[str, float]] = {
    4: {
        "min_similarity": 0.0,
        "pref_stored": 200,
        "unknown": 0.0,
        "planned": 0.0,
        "late": 0.0,
        "attribute_reg": 10_000.0,
        "attribute_support": 5.0,
    },
    5: {"siblings": 0.0, "trees": 0, "aversion": 0.0},
    6: {"trend_reg": 0.0},
    7: {},
}
"""The parameters that a schema version was the first to have, each with the value that serves earlier models as before.

Parameters whose default does so are listed too; a test checks that none is forgotten.
"""
