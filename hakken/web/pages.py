"""The pages: the form, and a list of recommendations."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from hakken.catalogue import Anime, Catalogue
from hakken.errors import ModelError
from hakken.knowledge import Knowledge
from hakken.ratings import Preferences, Reason, Recommendation, UserList, Username
from hakken.web.forms import Typed, read_preferences, read_upload, read_username
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
    def initial(self) -> str:
        """The letter on the drawn cover."""
        return next((letter.upper() for letter in self.anime.title if letter.isalnum()), "")


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show the form."""
    return render_template("home.html", typed=Typed(), knowledge=_knowledge_or_none())


@pages.get("/recommendations")
def recommendations() -> ResponseReturnValue:
    """Recommend to someone by username, or show what the sample list gets."""
    preferences = read_preferences(request.args)
    if request.args.get("sample") == "1":
        with Path(current_app.root_path, SAMPLE).open("rb") as sample:
            asked: Username | UserList = services().parse_export(sample)
        return _results(asked, preferences, again={"sample": "1"})
    asked = read_username(request.args)
    return _results(asked, preferences, again={"username": asked.name, "source": asked.site.value})


@pages.post("/recommendations")
def upload() -> ResponseReturnValue:
    """Recommend to someone by their export."""
    preferences = read_preferences(request.form)
    # Nothing is kept of an upload, so there is nothing to ask again with.
    return _results(services().parse_export(read_upload(request)), preferences, again={})


def _results(asked: Username | UserList, preferences: Preferences, again: dict[str, str]) -> str:
    """Ask the use case and write the page.

    Args:
        asked: for whom.
        preferences: what they chose.
        again: the query that asks for the same list again; empty after an upload.
    """
    found = services().recommend(asked, preferences)
    catalogue = services().knowledge().catalogue
    return render_template(
        "results.html",
        entries=_entries(found.recommendations, catalogue),
        continues=_entries(found.continues, catalogue),
        notes=found.notes,
        again=again,
        personal=found.personal,
        typed=Typed(n=str(preferences.n)),
    )


def _entries(recommendations: Sequence[Recommendation], catalogue: Catalogue) -> list[Entry]:
    return [
        # The model may know an anime that the catalogue lacks: then its name is all there is to show.
        Entry(rank, one, catalogue.get(one.anime_id) or Anime(anime_id=one.anime_id, title=one.title))
        for rank, one in enumerate(recommendations, start=1)
    ]


def _knowledge_or_none() -> Knowledge | None:
    try:
        return services().knowledge()
    except ModelError:
        return None
