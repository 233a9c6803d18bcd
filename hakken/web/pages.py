"""The pages: the start, and a list of recommendations."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from hakken import listing
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime, Catalogue
from hakken.errors import BadOption, ModelError
from hakken.ratings import Reason, Recommendation, Recommendations
from hakken.web.asking import Question, untidy
from hakken.web.confidence import Confidence, confidence
from hakken.web.covers import want_missing, with_details
from hakken.web.forms import CHOICES, Typed
from hakken.web.services import services
from hakken.web.wording import judged_by, signed

pages = Blueprint("pages", __name__)

PATH = "/recommendations"


class Entry(NamedTuple):
    """One title of the list as the page shows it.

    Attributes:
        rank: its place, from 1.
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
        """How much of the match a reason's share is, whatever its sign."""
        return abs(round(100 * reason.share / self.recommendation.match)) if self.recommendation.match > 0 else 0

    def said(self, reason: Reason, by_match: bool) -> str:
        """What a reason adds: a part of the match, or else points of the predicted rating."""
        if not by_match:
            return signed("%+.2f", reason.share)
        match = self.recommendation.match
        return signed("%+.0f %%", 100 * reason.share / match) if match > 0 else ""

    @property
    def because_label(self) -> str:
        """What stands above the entries that speak for it: not all of them need be rated."""
        rated = all(reason.score and not reason.planned for reason in self.because)
        return "Because you rated" if rated else "Because of"

    @property
    def confidence(self) -> Confidence:
        """How sure the predicted rating is."""
        return confidence(self.recommendation)


class Change(NamedTuple):
    """Something that the visitor said about one title, and can take back.

    Attributes:
        name: of the field.
        anime_id: the title's id.
        title: the title.
    """

    name: str
    anime_id: int
    title: str


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show the ways to a list."""
    return render_template("home.html", typed=Typed(), bundle=_bundle_or_none())


@pages.get(PATH)
def recommendations() -> ResponseReturnValue:
    """Recommend to someone by username, by a list that the address carries, or by the sample list."""
    question = Question.read(request.args)
    values = request.args.copy()
    wanted = values.poplist("format")
    if untidy(values, question.fields) and question.shareable and not wanted:
        return redirect(question.address, 303)
    return _answer(question, wanted)


@pages.post(PATH)
def posted() -> ResponseReturnValue:
    """Recommend from an export, or from a list that is too long for an address."""
    question = Question.read(request.form, request)
    wanted = request.form.getlist("format")
    if question.shareable and not wanted:
        # What an address can hold is better kept there: it can be gone back to, reloaded and sent to someone.
        return redirect(question.address, 303)
    return _answer(question, wanted)


def _answer(question: Question, wanted: Sequence[str]) -> ResponseReturnValue:
    """Ask the use case, and write the page or the file that is wanted."""
    form = wanted[-1] if wanted else ""
    if form not in {"", *FILES}:
        raise BadOption(f"A list can be had as {' or '.join(FILES)}.")
    found = services().recommend(question.asked.who, question.preferences)
    return _file(found, form) if form else _page(found, question)


FILES = {"csv": "text/csv", "json": "application/json"}
"""What a list can be downloaded as, and its media type."""


def _file(found: Recommendations, form: str) -> Response:
    bundle = services().bundle()
    text = listing.as_csv(found, bundle.catalogue) if form == "csv" else listing.as_json(found, bundle)
    response = Response(text, mimetype=FILES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="hakken.{form}"'
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _page(found: Recommendations, question: Question) -> str:
    bundle = services().bundle()
    catalogue = bundle.catalogue
    entries, continues = (_entries(part, bundle) for part in (found.recommendations, found.continues))
    want_missing(entry.anime for entry in (*entries, *continues))
    return render_template(
        "results.html",
        question=question,
        entries=entries,
        continues=continues,
        changes=list(_changes(question, catalogue)),
        notes=found.notes,
        personal=found.personal,
        typed=question.typed,
    )


def _changes(question: Question, catalogue: Catalogue) -> Iterator[Change]:
    for field in ("ignored", "hidden", "like"):
        for anime_id in getattr(question.preferences, field):
            yield Change(CHOICES[field].name, anime_id, catalogue.title(anime_id))


def _entries(recommendations: Sequence[Recommendation], bundle: ModelBundle) -> list[Entry]:
    return [
        Entry(rank, one, with_details(bundle.catalogue.anime(one.anime_id)), _judged_by(one, bundle))
        for rank, one in enumerate(recommendations, start=1)
    ]


def _judged_by(one: Recommendation, bundle: ModelBundle) -> str:
    if not one.by_attributes:
        return ""
    series_of = bundle.catalogue.series_of
    of_series = any(series_of(why.anime_id) == series_of(one.anime_id) for why in one.reasons if why.share > 0)
    return judged_by(bundle.catalogue.anime(one.anime_id), bundle.facts, of_series=of_series)


def _bundle_or_none() -> ModelBundle | None:
    try:
        return services().bundle()
    except ModelError:
        return None
