"""What a list says about its owner's taste."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.recommend import list_notes
from hakken.taste import Profile, profile
from hakken.web.addresses import fits
from hakken.web.asking import read_asked, untidy
from hakken.web.covers import with_details
from hakken.web.forms import read_preferences, written
from hakken.web.services import services

taste = Blueprint("taste", __name__)

SHOWN = 8
"""How many genres are drawn, at most, of those that are liked more, and of those that are liked less."""


@taste.route("/taste", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Show the taste that a list tells of; whose list it is, is read as for recommendations."""
    posted = request.method == "POST"
    asked = read_asked(request.form, request) if posted else read_asked(request.args)
    # What was chosen about the list elsewhere changes nothing here, and is taken along.
    kept = written(read_preferences(request.form if posted else request.args))
    fields = asked.fields(kept)
    if (posted or untidy(request.args, fields)) and fits("taste.show", fields):
        # What an address can hold is better kept there: it can be gone back to, reloaded and sent to someone.
        return redirect(url_for("taste.show", **fields), 303)
    bundle = services().bundle()  # first: without it, no site need be asked
    user_list = asked.fetched()
    found = profile(user_list, bundle)
    return render_template(
        "taste.html",
        asked=asked,
        kept=kept,
        found=found,
        liked=[one for one in found.genres if one.lean >= 0][:SHOWN],
        disliked=[one for one in found.genres if one.lean < 0][-SHOWN:],
        notes=[*found.notes, *list_notes(user_list)],
        titles=_titles(found, bundle),
    )


def _titles(found: Profile, bundle: ModelBundle) -> dict[int, Anime]:
    """The titles of the opinions, by id."""
    return {one.anime_id: with_details(bundle.catalogue.anime(one.anime_id)) for one in (*found.above, *found.below)}
