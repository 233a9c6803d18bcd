"""How sure a predicted rating is, in a word. The one place that says so.

The rule was read off 38,641 scores held out of the public ratings, by the protocol of `hakken.evaluation` with two
salts: how far predictions were from what people gave falls with both of the numbers below.

    word          rule                                         mean error   within a point   of all
    sure          rated by 100 people, 20 scores to compare    0.72         74 %             44 %
    fairly sure   all others                                   0.84         68 %             47 %
    a guess       rated by fewer than 20, or fewer than 5      1.01         59 %              9 %
                  scores to compare

Where so few scored a title that it has no predicted rating, there is nothing to be sure of.
"""

from enum import StrEnum

from hakken.ratings import Recommendation

SURE_SUPPORT, SURE_NEIGHBOURS = 100, 20
GUESS_SUPPORT, GUESS_NEIGHBOURS = 20, 5


class Confidence(StrEnum):
    """How sure a predicted rating is."""

    SURE = "sure"
    FAIRLY_SURE = "fairly sure"
    GUESS = "a guess"


def confidence(one: Recommendation) -> Confidence:
    """How sure a predicted rating is, from how many people scored the title and how many scores it rests on."""
    if one.support < GUESS_SUPPORT or one.neighbours < GUESS_NEIGHBOURS:
        return Confidence.GUESS
    if one.support >= SURE_SUPPORT and one.neighbours >= SURE_NEIGHBOURS:
        return Confidence.SURE
    return Confidence.FAIRLY_SURE
