"""The start page, and the page with a list of recommendations."""

from collections.abc import Sequence
from typing import NamedTuple

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from hakken import listing
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.errors import BadOption, ModelError
from hakken.ratings import CHOICES, Reason, Recommendation, Recommendations
from hakken.web.forms import FormValues
from hakken.web.list_request import RecommendationRequest, needs_redirect
from hakken.web.services import request_missing_facts, services, with_facts
from hakken.web.template_filters import judged_by, signed

pages = Blueprint("pages", __name__)

PATH = "/recommendations"
FILES = {"csv": "text/csv", "json": "application/json"}
"""What a list can be downloaded as, and its media type."""
SURE_SUPPORT, SURE_NEIGHBOURS = 100, 20
GUESS_SUPPORT, GUESS_NEIGHBOURS = 20, 5


class Entry(NamedTuple):
    """One title of the list as the page shows it.

    Attributes:
        rank: from 1.
        recommendation: what was recommended.
        anime: all that is known of it.
        judged_by: by what, if hardly anyone watched it; empty for all others.
    """

    rank: int
    recommendation: Recommendation
    anime: Anime
    judged_by: str = ""

    @property
    def because(self) -> list[Reason]:
        """The visitor's entries that speak for it."""
        return [reason for reason in self.recommendation.reasons if reason.share > 0]

    @property
    def against(self) -> list[Reason]:
        """The visitor's entries that speak against it."""
        return [reason for reason in self.recommendation.reasons if reason.share < 0]

    def percent(self, reason: Reason) -> int:
        """A reason's share of the match in per cent, without its sign."""
        return abs(round(100 * reason.share / self.recommendation.match)) if self.recommendation.match > 0 else 0

    def contribution(self, reason: Reason, by_match: bool) -> str:
        """What a reason adds, as text: a part of the match, or else points of the predicted rating."""
        if not by_match:
            return signed("%+.2f", reason.share)
        match = self.recommendation.match
        return signed("%+.0f %%", 100 * reason.share / match) if match > 0 else ""

    @property
    def because_label(self) -> str:
        """The heading of the entries that speak for it: not all of them need be rated."""
        rated = all(reason.score and not reason.planned for reason in self.because)
        return "Because you rated" if rated else "Because of"

    @property
    def confidence(self) -> str:
        """How sure the predicted rating is.

        The rule was read off 38,641 scores held out of the public ratings, by the protocol of `hakken.evaluation` with
        two salts: the mean distance between predictions and scores falls with both of the numbers below.

            word          rule                                         mean error   within a point   of all
            sure          rated by 100 people, 20 scores to compare    0.72         74 %             44 %
            fairly sure   all others                                   0.84         68 %             47 %
            a guess       rated by fewer than 20, or fewer than 5      1.01         59 %              9 %
                          scores to compare
        """
        support, neighbours = self.recommendation.support, self.recommendation.neighbours
        if support < GUESS_SUPPORT or neighbours < GUESS_NEIGHBOURS:
            return "a guess"
        return "sure" if support >= SURE_SUPPORT and neighbours >= SURE_NEIGHBOURS else "fairly sure"


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show the ways to a list."""
    try:
        bundle = services().bundle()
    except ModelError:
        bundle = None
    return render_template("home.html", form_values=FormValues(), bundle=bundle)


@pages.get(PATH)
def recommendations() -> ResponseReturnValue:
    """Recommend by username, by a list that the address holds, or by the sample list."""
    rec_request = RecommendationRequest.read(request.args)
    values = request.args.copy()
    formats = values.poplist("format")
    if needs_redirect(values, rec_request.fields) and rec_request.shareable and not formats:
        return redirect(rec_request.address, 303)
    return _respond(rec_request, formats)


@pages.post(PATH)
def posted() -> ResponseReturnValue:
    """Recommend from an export, or from a list that is too long for an address."""
    rec_request = RecommendationRequest.read(request.form, request)
    formats = request.form.getlist("format")
    if rec_request.shareable and not formats:
        # An address can be bookmarked, reloaded and sent to someone.
        return redirect(rec_request.address, 303)
    return _respond(rec_request, formats)


def _respond(rec_request: RecommendationRequest, formats: Sequence[str]) -> ResponseReturnValue:
    """Recommend, and render the page or the file that is wanted."""
    form = formats[-1] if formats else ""
    if form not in {"", *FILES}:
        raise BadOption(f"A list can be downloaded as {' or '.join(FILES)}.")
    found = services().recommend(rec_request.list_ref.who, rec_request.preferences)
    return _file(found, form) if form else _page(found, rec_request)


def _file(found: Recommendations, form: str) -> Response:
    bundle = services().bundle()
    text = listing.as_csv(found, bundle.catalogue) if form == "csv" else listing.as_json(found, bundle)
    headers = {"Content-Disposition": f'attachment; filename="hakken.{form}"', "X-Robots-Tag": "noindex"}
    return Response(text, mimetype=FILES[form], headers=headers)


def _page(found: Recommendations, rec_request: RecommendationRequest) -> str:
    bundle = services().bundle()
    entries, continues = (_entries(part, bundle) for part in (found.recommendations, found.continues))
    request_missing_facts(entry.anime for entry in (*entries, *continues))
    return render_template(
        "results.html",
        rec_request=rec_request,
        entries=entries,
        continues=continues,
        changes=[
            {"name": CHOICES[field].name, "anime_id": anime_id, "title": bundle.catalogue.title(anime_id)}
            for field in ("ignored", "hidden", "like")  # what was chosen about one title, which the visitor can undo
            for anime_id in getattr(rec_request.preferences, field)
        ],
        notes=found.notes,
        personal=found.personal,
        form_values=rec_request.form_values,
    )


def _entries(recommendations: Sequence[Recommendation], bundle: ModelBundle) -> list[Entry]:
    return [
        Entry(rank, one, with_facts(bundle.catalogue.anime(one.anime_id)), _judged_by(one, bundle))
        for rank, one in enumerate(recommendations, start=1)
    ]


def _judged_by(one: Recommendation, bundle: ModelBundle) -> str:
    if not one.by_attributes:
        return ""
    series_of = bundle.catalogue.series_of
    of_series = any(series_of(why.anime_id) == series_of(one.anime_id) for why in one.reasons if why.share > 0)
    return judged_by(bundle.catalogue.anime(one.anime_id), bundle.facts, of_series=of_series)
