"""What a list says about its owner's taste."""

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from hakken.catalogue import Anime
from hakken.knowledge import Knowledge
from hakken.recommend import list_notes
from hakken.taste import Profile, profile
from hakken.web.asking import read_asked, untidy
from hakken.web.covers import with_details
from hakken.web.services import services

taste = Blueprint("taste", __name__)

SHOWN = 8
"""How many genres are drawn, at most, of those that are liked more, and of those that are liked less."""


@taste.route("/taste", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Show the taste that a list tells of; whose list it is, is read as for recommendations."""
    posted = request.method == "POST"
    asked = read_asked(request.form, request) if posted else read_asked(request.args)
    if (posted or untidy(request.args, asked.again)) and asked.fits("taste.show"):
        # What an address can hold is better kept there: it can be gone back to, reloaded and sent to someone.
        return redirect(asked.address("taste.show"), 303)
    knowledge = services().knowledge()  # first: without it, no site need be asked
    user_list = asked.fetched()
    found = profile(user_list, knowledge)
    return render_template(
        "taste.html",
        asked=asked,
        found=found,
        liked=[one for one in found.genres if one.lean >= 0][:SHOWN],
        disliked=[one for one in found.genres if one.lean < 0][-SHOWN:],
        notes=[*found.notes, *list_notes(user_list)],
        titles=_titles(found, knowledge),
    )


def _titles(found: Profile, knowledge: Knowledge) -> dict[int, Anime]:
    """The titles of the opinions, by id."""
    return {
        one.anime_id: with_details(
            knowledge.catalogue.get(one.anime_id) or Anime(anime_id=one.anime_id, title=one.title)
        )
        for one in (*found.above, *found.below)
    }
