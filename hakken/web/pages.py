"""The pages: the form, and a list of recommendations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hakken.catalogue import Anime, Catalogue
from hakken.errors import ModelError
from hakken.knowledge import Knowledge
from hakken.ratings import Order, Preferences, Reason, Recommendation, UserList, Username
from hakken.sources import picks
from hakken.web.confidence import Confidence, confidence
from hakken.web.covers import want_missing, with_details
from hakken.web.forms import MAX_IGNORED, Typed, read_picks, read_preferences, read_upload, read_username, written
from hakken.web.services import services

SAMPLE = "static/sample-export.xml"

pages = Blueprint("pages", __name__)


class Entry(NamedTuple):
    """One title of the list as the page shows it."""

    rank: int
    recommendation: Recommendation
    anime: Anime

    @property
    def because(self) -> list[Reason]:
        """The visitor's entries that speak for it."""
        return [reason for reason in self.recommendation.reasons if reason.share > 0]

    @property
    def against(self) -> list[Reason]:
        """The visitor's entries that speak against it."""
        return [reason for reason in self.recommendation.reasons if reason.share < 0]

    def part(self, reason: Reason) -> float:
        """A reason's share as a percentage of the score."""
        return 100 * reason.share / self.recommendation.match if self.recommendation.match > 0 else 0.0

    @property
    def confidence(self) -> Confidence:
        """How sure the predicted rating is."""
        return confidence(self.recommendation)


class Question(NamedTuple):
    """What a page of results answers.

    Attributes:
        again: whose list is asked for, as an address says it: name of a field → its value, of picks several; empty
            after an upload, of which nothing is kept.
        preferences: what the visitor chose.
    """

    again: Mapping[str, str | Sequence[str]]
    preferences: Preferences

    @property
    def by_match(self) -> bool:
        """Whether the list is ordered by match."""
        return self.preferences.order is Order.MATCH

    @property
    def can_leave_out(self) -> bool:
        """Whether one more entry of the list can be left out: by an address, and an address can name it."""
        return bool(self.again) and len(self.preferences.ignored) < MAX_IGNORED

    def leaving_out(self, anime_id: int) -> str:
        """Address of the same question without an entry of the list."""
        return self._address((*self.preferences.ignored, anime_id))

    def counting(self, anime_id: int) -> str:
        """Address of the same question with an entry taken back in."""
        return self._address(tuple(one for one in self.preferences.ignored if one != anime_id))

    @property
    def picking(self) -> str:
        """Address of the page on which the picks can be changed."""
        query: dict[str, Any] = {**self.again, **written(self.preferences)}
        return url_for("picking.choose", **query)

    def _address(self, ignored: tuple[int, ...]) -> str:
        changed = msgspec.structs.replace(self.preferences, ignored=ignored)
        query: dict[str, Any] = {**self.again, **written(changed)}
        return url_for("pages.recommendations", **query)


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show the form."""
    return render_template("home.html", typed=Typed(), knowledge=_knowledge_or_none())


@pages.get("/recommendations")
def recommendations() -> ResponseReturnValue:
    """Recommend to someone by username or by picks, or show what the sample list gets."""
    preferences = read_preferences(request.args)
    if request.args.get("sample") == "1":
        with Path(current_app.root_path, SAMPLE).open("rb") as sample:
            asked: Username | UserList = services().parse_export(sample)
        return _results(asked, Question({"sample": "1"}, preferences))
    if "pick" in request.args:
        asked = read_picks(request.args)
        return _results(asked, Question({"pick": picks.written(asked)}, preferences))
    asked = read_username(request.args)
    return _results(asked, Question({"username": asked.name, "source": asked.site.value}, preferences))


@pages.post("/recommendations")
def upload() -> ResponseReturnValue:
    """Recommend to someone by their export."""
    question = Question({}, read_preferences(request.form))
    return _results(services().parse_export(read_upload(request)), question)


def _results(asked: Username | UserList, question: Question) -> str:
    """Ask the use case and write the page."""
    found = services().recommend(asked, question.preferences)
    catalogue = services().knowledge().catalogue
    entries, continues = (_entries(part, catalogue) for part in (found.recommendations, found.continues))
    want_missing(entry.anime for entry in (*entries, *continues))
    return render_template(
        "results.html",
        question=question,
        entries=entries,
        continues=continues,
        left_out=[(anime_id, catalogue.title(anime_id)) for anime_id in question.preferences.ignored],
        notes=found.notes,
        personal=found.personal,
        typed=Typed(choices=written(question.preferences)),
    )


def _entries(recommendations: Sequence[Recommendation], catalogue: Catalogue) -> list[Entry]:
    return [
        # The model may know an anime that the catalogue lacks: then its name is all there is to show.
        Entry(rank, one, with_details(catalogue.get(one.anime_id) or Anime(anime_id=one.anime_id, title=one.title)))
        for rank, one in enumerate(recommendations, start=1)
    ]


def _knowledge_or_none() -> Knowledge | None:
    try:
        return services().knowledge()
    except ModelError:
        return None
