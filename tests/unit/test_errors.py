"""What programs know errors by."""

from hakken import errors
from hakken.web.error_pages import failures, problem_name


def test_problem_types_and_labels_outlive_the_names_of_classes() -> None:
    known_by: dict[type[errors.HakkenError], tuple[str, str]] = {
        errors.InvalidResponse: ("SiteNonsense", "site-nonsense"),
        errors.CircuitOpen: ("SiteResting", "site-resting"),
        errors.ServerBusy: ("FullHouse", "full-house"),
        errors.TooManyFetches: ("Crowded", "crowded"),
        errors.RateLimited: ("OutOfTurns", "out-of-turns"),
        errors.UserNotFound: ("UserNotFound", "user-not-found"),
    }
    assert {kind: (kind.public_name, problem_name(kind)) for kind in known_by} == known_by


def test_where_no_site_answers_the_ways_that_need_none_are_offered() -> None:
    offered = {kind for kind, failure in failures().items() if failure.other_ways}
    sites = {kind for kind in failures() if issubclass(kind, errors.SiteError)}
    assert offered == sites | {errors.NoListSource, errors.AllSourcesFailed, errors.TooManyFetches}
