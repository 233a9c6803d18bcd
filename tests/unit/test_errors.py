"""What programs know errors by."""

from hakken import errors
from hakken.web.problems import name_of


def test_problem_types_and_labels_outlive_the_names_of_classes() -> None:
    known_by: dict[type[errors.HakkenError], tuple[str, str]] = {
        errors.InvalidResponse: ("SiteNonsense", "site-nonsense"),
        errors.CircuitOpen: ("SiteResting", "site-resting"),
        errors.ServerBusy: ("FullHouse", "full-house"),
        errors.TooManyFetches: ("Crowded", "crowded"),
        errors.RateLimited: ("OutOfTurns", "out-of-turns"),
        errors.UserNotFound: ("UserNotFound", "user-not-found"),
    }
    assert {kind: (kind.public_name, name_of(kind)) for kind in known_by} == known_by
