"""The page about the taste that a list shows."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from hakken.recommend import list_notes
from hakken.taste import profile
from hakken.web.forms import preferences_to_fields, read_preferences
from hakken.web.list_request import fits_address, needs_redirect, read_list_ref
from hakken.web.services import services, with_facts

taste = Blueprint("taste", __name__)

SHOWN = 8
"""How many genres are drawn, at most, of those that are liked more, and of those that are liked less."""


@taste.route("/taste", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Show the taste that a list shows; the list is read as for recommendations."""
    posted = request.method == "POST"
    list_ref = read_list_ref(request.form, request) if posted else read_list_ref(request.args)
    # Preferences have no effect here, and are passed on to the page of recommendations.
    choices = preferences_to_fields(read_preferences(request.form if posted else request.args))
    fields = list_ref.fields(choices)
    if (posted or needs_redirect(request.args, fields)) and fits_address("taste.show", fields):
        # An address can be bookmarked, reloaded and sent to someone.
        return redirect(url_for("taste.show", **fields), 303)
    bundle = services().bundle()  # first: without it, no site need be asked
    user_list = services().fetch(list_ref.who)
    found = profile(user_list, bundle)
    opinions = (*found.above, *found.below)
    return render_template(
        "taste.html",
        list_ref=list_ref,
        choices=choices,
        found=found,
        liked=[one for one in found.genres if one.lean >= 0][:SHOWN],
        disliked=[one for one in found.genres if one.lean < 0][-SHOWN:],
        notes=[*found.notes, *list_notes(user_list)],
        titles={one.anime_id: with_facts(bundle.catalogue.anime(one.anime_id)) for one in opinions},
    )
