"""The page on which titles are picked by hand. Its address holds its whole state, so nothing is stored."""

import threading
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from cachetools import cached
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from hakken.bundle import ModelBundle
from hakken.data_time import in_words
from hakken.lists import encoded_list, picks
from hakken.ratings import MAX_LENGTH, UserList
from hakken.search import Titles
from hakken.serving.memory import release_memory
from hakken.web.forms import FormValues, read_form_values, read_id, stated
from hakken.web.list_request import ListRef
from hakken.web.services import services, with_facts

WELL_KNOWN = 24
FOUND = 12
"""How many titles are offered at once: of the well-known, and of search results."""

picking = Blueprint("picking", __name__)


class State(NamedTuple):
    """What the address of the page holds.

    Attributes:
        chosen: the picks.
        query: what is searched for.
        kept: what was chosen about the list elsewhere, to be passed on.
    """

    chosen: UserList
    query: str
    kept: FormValues

    @classmethod
    def read(cls, values: MultiDict[str, str]) -> "State":
        """Read it, including the effect of the button that was pressed.

        Raises BadOption where a pick can't be read or there are too many, and BadList where the list that a page of
        results encoded can't be read.
        """
        added, removed = read_id(values, "add"), read_id(values, "remove")
        encoded = encoded_list.unpacked(values["list"]) if "list" in values else UserList()
        texts = [*picks.written(encoded), *stated(values, "pick")]
        # A score that was chosen beside the button counts.
        if added is not None and added not in {one.anime_id for one in picks.parse(texts).ratings}:
            texts.append(str(added))
        chosen = [one for one in picks.parse(texts).ratings if one.anime_id != removed]
        return cls(UserList.of(chosen), values.get("q", "")[:MAX_LENGTH].strip(), read_form_values(values))

    def address(self, **more: Any) -> str:  # noqa: ANN401  # as url_for has it
        """Address of the page with these picks."""
        query: dict[str, Any] = {"pick": picks.written(self.chosen), **self.kept.choices, **more}
        return url_for("picking.choose", **query)


@picking.get("/picks")
def choose() -> ResponseReturnValue:
    """Show what was picked and what can be."""
    values = request.args
    state = State.read(values)
    if "recommend" in values and len(state.chosen):
        fields = ListRef.encoding(state.chosen).fields(state.kept.choices)
        return redirect(url_for("pages.recommendations", **fields), 303)
    leftovers = {"add", "remove", "list"} & set(values) or len(stated(values, "pick")) < len(values.getlist("pick"))
    if leftovers and "recommend" not in values:  # of a button or an empty field: better bookmarked without
        anchor = "titles" if "add" in values else None
        return redirect(state.address(q=state.query or None, _anchor=anchor), 303)
    bundle = services().bundle()
    picked = [one.anime_id for one in state.chosen.ratings]
    titles = title_index(bundle)
    if state.query:  # with room for what is picked already
        found = titles.search(state.query, FOUND + len(picked), adult=state.kept.one("adult") == "1")
    else:
        found = titles.well_known(WELL_KNOWN, known_to=bundle.model.arrays.anime_ids, without=picked)
    offered = [one for one in found if one.anime_id not in picked][: FOUND if state.query else None]
    return render_template(
        "picks.html",
        state=state,
        # A title that the catalogue lacks has its id for a name.
        chosen=[(one, bundle.catalogue.title(one.anime_id)) for one in state.chosen.ratings],
        offered=[with_facts(bundle.catalogue[one.anime_id]) for one in offered],
        not_found=None if found else not_found_phrase(bundle),
        nothing_picked="recommend" in values,
        full=len(picked) >= picks.MAX_PICKS,
        most=picks.MAX_PICKS,
    )


@cached(WeakKeyDictionary(), key=lambda bundle: bundle.facts, condition=threading.Condition())
def title_index(bundle: ModelBundle) -> Titles:
    """The index that searches use; built once per model in most of a second, and dropped with it.

    It finds titles by all of their names, and gives them by the main one.
    """
    titles = Titles(bundle.catalogue.main)
    release_memory()  # building it, and opening the model, takes twice what they keep
    return titles


def not_found_phrase(bundle: ModelBundle) -> str:
    """The end of the sentence about a query that finds nothing."""
    end = bundle.model.manifest.data_time
    return f"not known here; our newest titles are from {in_words(end)}" if end else "not known here"
