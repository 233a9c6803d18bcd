"""The page on which titles are picked by hand. Its whole state is its address, so nothing of it is kept here."""

from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from hakken.bundle import ModelBundle
from hakken.catalogue import Anime
from hakken.lists import encoded_list, picks
from hakken.ratings import UserList
from hakken.web.asking import Asked
from hakken.web.covers import with_details
from hakken.web.finding import not_known, titles_of
from hakken.web.forms import LONGEST, Typed, pick_texts, read_id, typed
from hakken.web.services import services

WELL_KNOWN = 24
FOUND = 12
"""How many titles are offered at once: of the well-known, and of those that were searched for."""

picking = Blueprint("picking", __name__)


class Picked(NamedTuple):
    """A title that was picked, and its score; 0 for none."""

    anime_id: int
    title: str
    score: int


class State(NamedTuple):
    """What the address of the page holds.

    Attributes:
        chosen: the picks.
        query: what is searched for.
        kept: what was chosen about the list elsewhere, to be taken along.
    """

    chosen: UserList
    query: str
    kept: Typed

    @classmethod
    def read(cls, values: MultiDict[str, str]) -> "State":
        """Read it, with what the button that was pressed changes.

        Raises:
            BadOption: a pick can't be read, or there are too many.
            BadList: the list that is carried can't be read.
        """
        added, removed = read_id(values, "add"), read_id(values, "remove")
        texts = [*_carried(values), *pick_texts(values)]
        # A score that was chosen beside the button counts.
        if added is not None and added not in {one.anime_id for one in picks.parse(texts).ratings}:
            texts.append(str(added))
        chosen = [one for one in picks.parse(texts).ratings if one.anime_id != removed]
        return cls(UserList.of(chosen), values.get("q", "")[:LONGEST].strip(), typed(values))

    def address(self, endpoint: str, **more: Any) -> str:  # noqa: ANN401  # as url_for has it
        """Address of a page with these picks."""
        query: dict[str, Any] = {"pick": picks.written(self.chosen), **self.kept.choices, **more}
        return url_for(endpoint, **query)


@picking.get("/picks")
def choose() -> ResponseReturnValue:
    """Show what was picked and what can be."""
    values = request.args
    state = State.read(values)
    if "recommend" in values and len(state.chosen):
        fields = Asked.carrying(state.chosen).fields(state.kept.choices)
        return redirect(url_for("pages.recommendations", **fields), 303)
    if _untidy(values) and "recommend" not in values:
        anchor = "titles" if "add" in values else None
        return redirect(state.address("picking.choose", q=state.query or None, _anchor=anchor), 303)
    bundle = services().bundle()
    found = _found(state, bundle)
    picked = {one.anime_id for one in state.chosen.ratings}
    offered = [one for one in found if one.anime_id not in picked][: FOUND if state.query else None]
    chosen = [
        # A title that the catalogue lacks has its id for a name.
        Picked(one.anime_id, bundle.catalogue.title(one.anime_id), one.score)
        for one in state.chosen.ratings
    ]
    return render_template(
        "picks.html",
        state=state,
        chosen=chosen,
        offered=[with_details(one) for one in offered],
        not_known=None if found else not_known(bundle),
        nothing_picked="recommend" in values,
        full=len(chosen) >= picks.MAX_PICKS,
        most=picks.MAX_PICKS,
    )


def _carried(values: MultiDict[str, str]) -> list[str]:
    """The picks of a list that a page of results carried."""
    if "list" not in values:
        return []
    user_list = encoded_list.unpacked(values["list"])
    picks.check_length(user_list)
    return picks.written(user_list)


def _untidy(values: MultiDict[str, str]) -> bool:
    """Whether the address has what a button or an empty field left in it, and is better bookmarked without."""
    return bool({"add", "remove", "list"} & set(values)) or any(not text.strip() for text in values.getlist("pick"))


def _found(state: State, bundle: ModelBundle) -> tuple[Anime, ...]:
    """What is searched for, with room for what is picked already; the well-known titles where nothing is."""
    titles = titles_of(bundle)
    if state.query:
        adult = state.kept.one("adult") == "1"
        return titles.search(state.query, FOUND + len(state.chosen), adult=adult)
    picked = [one.anime_id for one in state.chosen.ratings]
    return titles.well_known(WELL_KNOWN, known_to=bundle.model.arrays.anime_ids, without=picked)
