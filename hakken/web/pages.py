"""The start page, and the pages about a list: recommendations, also by season, and the taste that it shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hakken import listing
from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.errors import BadOption, ModelError
from hakken.ratings import FranchiseRule, Preferences, Reason, Recommendation, Recommendations, UserList
from hakken.recommend import list_notes
from hakken.recommend.notes import EMPTY
from hakken.seasons import Season
from hakken.taste import profile
from hakken.web.filter_choices import filter_choices
from hakken.web.forms import SINGLE, FormValues, preferences_to_fields, read_preferences
from hakken.web.list_request import RecommendationRequest, fits_address, needs_redirect, read_list_ref
from hakken.web.services import request_missing_facts, services, with_facts
from hakken.web.template_filters import judged_by, signed, studio
from hakken.web.title_names import use_main_titles

pages = Blueprint("pages", __name__)
taste = Blueprint("taste", __name__)

PATH = "/recommendations"
FILES = {"csv": "text/csv", "json": "application/json", "xml": "application/xml"}
"""What can be downloaded, and its media type: the list, and titles marked as seen as MyAnimeList imports them."""
GENRES = 8
"""How many genres are drawn, at most, of those that are liked more, and of those that are liked less."""
CONFIDENCE = ("sure", "fairly sure", "a guess")
SURE_SUPPORT, SURE_NEIGHBOURS = 100, 20
GUESS_SUPPORT, GUESS_NEIGHBOURS = 20, 5


class Entry(NamedTuple):
    """One title of the list as the page shows it, ranked from 1.

    Attributes:
        anime: all that is known of it.
        relative_match: its match as a whole number from 0 to 100, the best title's of the list.
        judged_by: by what, if hardly anyone watched it; empty for all others.
        series: title of the first part of its series.
    """

    rank: int
    recommendation: Recommendation
    anime: Anime
    relative_match: int
    judged_by: str = ""
    series: str = ""

    @property
    def because(self) -> list[Reason]:
        """The visitor's entries that speak for it."""
        return [reason for reason in self.recommendation.reasons if reason.share > 0]

    @property
    def all_rated(self) -> bool:
        """Whether all of these have a score of the visitor's."""
        return all(reason.score and not reason.planned for reason in self.because)

    @property
    def against(self) -> list[Reason]:
        """The visitor's entries that speak against it."""
        return [reason for reason in self.recommendation.reasons if reason.share < 0]

    @property
    def favouring(self) -> list[str]:
        """What else speaks for it, in words."""
        return [effect.words for effect in self.recommendation.effects if effect.factor > 1]

    @property
    def opposing(self) -> list[str]:
        """What else speaks against it, in words."""
        return [effect.words for effect in self.recommendation.effects if effect.factor < 1]

    def percent(self, reason: Reason) -> int:
        """A reason's share of the match in per cent, without its sign."""
        return abs(round(100 * reason.share / self.recommendation.match)) if self.recommendation.match > 0 else 0

    def contribution(self, reason: Reason, by_match: bool) -> str:
        """What a reason adds, as text: a part of the match, or else points of the predicted rating."""
        if not by_match:
            return signed("%+.2f", reason.share)
        match = self.recommendation.match
        return signed("%+.0f%%", 100 * reason.share / match) if match > 0 else ""

    @property
    def confidence(self) -> str:
        """How sure the predicted rating is.

        The rule was read off 38,641 scores held out of the public ratings, by the protocol of `hakken.evaluation` with
        two salts: the mean distance between predictions and scores falls with both of the numbers below.

            word          rule                                         mean error   within a point   of all
            sure          rated by 100 people, 20 scores to compare    0.72         74%             44%
            fairly sure   all others                                   0.84         68%             47%
            a guess       rated by fewer than 20, or fewer than 5      1.01         59%              9%
                          scores to compare
        """
        support, neighbours = self.recommendation.support, self.recommendation.neighbours
        if support < GUESS_SUPPORT or neighbours < GUESS_NEIGHBOURS:
            return CONFIDENCE[2]
        return CONFIDENCE[0] if support >= SURE_SUPPORT and neighbours >= SURE_NEIGHBOURS else CONFIDENCE[1]


COLUMNS: Mapping[str, Callable[[Entry], Any]] = {
    "rank": lambda one: one.rank,
    "title": lambda one: one.anime.title.casefold(),
    "match": lambda one: one.recommendation.match,
    "predicted": lambda one: one.recommendation.predicted_rating,
    "sure": lambda one: None if one.recommendation.predicted_rating is None else CONFIDENCE.index(one.confidence),
    "type": lambda one: one.anime.type,
    "year": lambda one: one.anime.year,
    "episodes": lambda one: one.anime.episodes,
    "because": lambda one: one.because[0].title.casefold() if one.because else None,
    "genres": lambda one: ", ".join(one.anime.genres),
}
"""What each column of the table is sorted by."""


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show the ways to a list."""
    try:
        bundle = services().bundle()
    except ModelError:
        bundle = None
    return render_template("home.html", form_values=FormValues(), bundle=bundle)


@pages.get(PATH)
@pages.post(PATH, endpoint="posted")
def recommendations() -> ResponseReturnValue:
    """Recommend by username, by a list that the request holds, or by the sample list; as a page or as a file."""
    posted = request.method == "POST"
    values = request.form if posted else request.args
    rec_request = RecommendationRequest.read(values, request if posted else None)
    formats = values.getlist("format")
    if rec_request.shareable and not formats and (posted or needs_redirect(values, rec_request.fields)):
        # An address can be bookmarked, reloaded and sent to someone.
        return redirect(url_for("pages.recommendations", **rec_request.fields), 303)
    form = formats[-1] if formats else ""
    if form not in {"", *FILES}:
        raise BadOption(f"A list can be downloaded as {' or '.join(FILES)}.")
    if form:
        use_main_titles()
    if form == "xml":
        seen = UserList().with_seen(rec_request.preferences.seen)
        return _file(form, listing.as_mal_import(seen, services().bundle().catalogue))
    found = services().recommend(rec_request.list_ref.who, rec_request.preferences)
    bundle = services().bundle()
    if not form:
        return _page(found, rec_request, bundle)
    return _file(form, listing.as_csv(found, bundle.catalogue) if form == "csv" else listing.as_json(found, bundle))


def _file(form: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="hakken.{form}"', "X-Robots-Tag": "noindex"}
    return Response(text, mimetype=FILES[form], headers=headers)


@pages.get("/season")
def season() -> ResponseReturnValue:
    """Go to the current season's titles, for the list that the address names or for everyone."""
    rec_request = RecommendationRequest.read(request.args)
    return redirect(url_for("pages.recommendations", **{**rec_request.fields, **of_season(this_season())}), 303)


def this_season() -> Season:
    """The current season, UTC."""
    return Season.at(services().today())


def of_season(season: Season) -> dict[str, tuple[str, ...]]:
    """The choices of a page by season, as fields: of a season, people ask for what continues a series too."""
    return preferences_to_fields(Preferences(season=str(season), franchise=FranchiseRule.ALL))


class Seasons(NamedTuple):
    """The seasons around the one that a page is about, among those of which titles are known; None where there is none.

    Attributes:
        before: the one before it.
        current: the one that the page is about.
        after: the one after it.
    """

    before: Season | None
    current: Season
    after: Season | None


def _seasons_around(text: str | None, bundle: ModelBundle) -> Seasons | None:
    if text is None:
        return None
    current, known = Season.of(text), filter_choices(bundle).seasons
    before, after = [one for one in known if one < current], [one for one in known if one > current]
    return Seasons(next(iter(before), None), current, after[-1] if after else None)


def _subject(preferences: Preferences, bundle: ModelBundle) -> list[str]:
    """What a list is about, beside the visitor: a season, genres, studios and series, in words."""
    season = [Season.of(preferences.season).words] if preferences.season else []
    series = (f"the series of {bundle.catalogue.title(anime_id)}" for anime_id in preferences.series)
    return [*season, *preferences.genres, *map(studio, preferences.studios), *series]


def _page(found: Recommendations, rec_request: RecommendationRequest, bundle: ModelBundle) -> str:
    entries, continues = (_entries(part, bundle) for part in (found.recommendations, found.continues))
    if rec_request.view == "table":
        entries = _sorted(entries, rec_request.sort)
    request_missing_facts(entry.anime for entry in (*entries, *continues))
    return render_template(
        "results.html",
        rec_request=rec_request,
        entries=entries,
        continues=continues,
        changes=[
            _change(name, str(value), bundle)
            for name, field in SINGLE.items()
            for value in getattr(rec_request.preferences, field)
        ],
        # Nobody's list has to be called empty.
        notes=[note for note in found.notes if rec_request.list_ref.kind != "everyone" or not note.startswith(EMPTY)],
        personal=found.personal,
        seasons=_seasons_around(rec_request.preferences.season, bundle),
        subject=_subject(rec_request.preferences, bundle),
        form_values=FormValues(choices=preferences_to_fields(rec_request.preferences)),
    )


def _entries(recommendations: Sequence[Recommendation], bundle: ModelBundle) -> list[Entry]:
    return [
        Entry(
            rank,
            one,
            with_facts(bundle.catalogue.anime(one.anime_id)),
            match,
            _judged_by(one, bundle),
            bundle.catalogue.title(bundle.catalogue.series_of(one.anime_id)),
        )
        for rank, (one, match) in enumerate(
            zip(recommendations, listing.relative_matches(recommendations), strict=True), start=1
        )
    ]


def _change(name: str, value: str, bundle: ModelBundle) -> dict[str, str]:
    """What was said of a title, studio or series: its field, what undoes it, the title, and a score if there is one."""
    if name == "studio":
        return {"name": name, "value": value, "title": studio(value)}
    anime_id, _, score = value.partition("-")
    return {"name": name, "value": anime_id, "title": bundle.catalogue.title(int(anime_id)), "score": score}


def _sorted(entries: list[Entry], by: str) -> list[Entry]:
    """Entries sorted by a column of the table, see `list_request.SORTS`; what has no value there comes last."""
    value = COLUMNS[by.removeprefix("-")]
    known = [one for one in entries if value(one) not in {None, ""}]
    without = [one for one in entries if value(one) in {None, ""}]
    return sorted(known, key=value, reverse=by.startswith("-")) + without


def _judged_by(one: Recommendation, bundle: ModelBundle) -> str:
    if not one.by_attributes:
        return ""
    series_of = bundle.catalogue.series_of
    of_series = any(series_of(why.anime_id) == series_of(one.anime_id) for why in one.reasons if why.share > 0)
    return judged_by(bundle.catalogue.anime(one.anime_id), bundle.facts, of_series=of_series)


@taste.route("/taste", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Show the taste that a list shows; the list is read as for recommendations."""
    posted = request.method == "POST"
    list_ref = read_list_ref(request.form, request) if posted else read_list_ref(request.args)
    # Of the preferences only titles that were seen have an effect here; all are passed on to the recommendations.
    preferences = read_preferences(request.form if posted else request.args)
    choices = preferences_to_fields(preferences)
    list_ref = list_ref._replace(seen=preferences.seen)
    fields = list_ref.fields(choices)
    if (posted or needs_redirect(request.args, fields)) and fits_address("taste.show", fields):
        # An address can be bookmarked, reloaded and sent to someone.
        return redirect(url_for("taste.show", **fields), 303)
    bundle = services().bundle()  # first: without it, no site need be asked
    user_list = services().fetch(list_ref.who).with_seen(preferences.seen)
    found = profile(user_list, bundle)
    opinions = (*found.above, *found.below)
    return render_template(
        "taste.html",
        list_ref=list_ref,
        choices=choices,
        found=found,
        liked=[one for one in found.genres if one.lean >= 0][:GENRES],
        disliked=[one for one in found.genres if one.lean < 0][-GENRES:],
        notes=[*found.notes, *list_notes(user_list)],
        titles={one.anime_id: with_facts(bundle.catalogue.anime(one.anime_id)) for one in opinions},
    )
