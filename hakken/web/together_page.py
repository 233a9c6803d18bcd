"""The page with one list for two people. Each person's list is named as everywhere, the second's with a prefix."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from hakken.catalogue import Anime
from hakken.errors import HakkenError
from hakken.ratings import Site, Username
from hakken.recommend.together import ForBoth, recommend_together
from hakken.web.forms import FormValues, preferences_to_fields, read_form_values, read_preferences
from hakken.web.list_request import NAMES, ListRef, fits_address, needs_redirect, read_list_ref
from hakken.web.pages import Entry
from hakken.web.services import request_missing_facts, services, with_facts

together = Blueprint("together", __name__)

PREFIXES = ("", "with_")
"""What the fields of the first and of the second person's list begin with, such as `with_username`."""
ORDINALS = ("First", "Second")
SITES = {Site.MAL: "MyAnimeList", Site.ANILIST: "AniList"}


class TogetherForm(NamedTuple):
    """What the form for two is filled in with.

    Attributes:
        people: what names each person's list, as it was typed or carried.
        choices: what was chosen for both.
    """

    people: tuple[FormValues, ...]
    choices: FormValues

    @classmethod
    def read(cls, values: MultiDict[str, str]) -> "TogetherForm":
        """Read what was sent, valid or not."""
        return cls(tuple(read_form_values(_of_person(values, prefix)) for prefix in PREFIXES), read_form_values(values))

    @property
    def carried(self) -> tuple[Mapping[str, list[str]], ...]:
        """The fields of each list that is no username; empty for others."""
        return tuple(_carried(one) for one in self.people)

    @property
    def fits_address(self) -> bool:
        """Whether the lists that the form carries leave an address short enough."""
        fields = {
            prefix + name: texts
            for prefix, carried in zip(PREFIXES, self.carried, strict=True)
            for name, texts in carried.items()
        }
        return fits_address("together.show", fields | dict(self.choices.choices))


def _carried(person: FormValues) -> dict[str, list[str]]:
    texts = {"sample": ["1"] if person.sample == "1" else [], "list": [person.encoded_list], "pick": person.picks}
    found = {name: [text for text in some if text] for name, some in texts.items()}
    return {name: some for name, some in found.items() if some}


def _of_person(values: MultiDict[str, str], prefix: str) -> MultiDict[str, str]:
    """The fields that name a person's list, without their prefix.

    In place of a username, people may give the address of a page about their list.
    """
    names = (*NAMES, "source")
    query = values.get(f"{prefix}username", "").partition("#")[0].partition("?")[2]
    linked = MultiDict(parse_qsl(query.strip()))
    if any(name in linked for name in NAMES):
        values, prefix = linked, ""
    return MultiDict([(name, text) for name in names for text in values.getlist(prefix + name)])


@together.route("/together", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Show titles for two people or, as long as one list is not named, the form that asks for it.

    Raises:
        SourceError, InputError: a list can't be fetched or read; the error page says whose.
    """
    posted = request.method == "POST"
    values = request.form if posted else request.args
    # For the error page too: whatever fails below, the same two can be sent again.
    form = g.together = TogetherForm.read(values)
    preferences = read_preferences(values)
    named = [_of_person(values, prefix) for prefix in PREFIXES]
    if not all(any(name in one for name in NAMES) for one in named):
        return render_template("together.html", form=form, people=())
    people = [_read(which, one) for which, one in zip(ORDINALS, named, strict=True)]
    fields: dict[str, Any] = {
        prefix + name: text for prefix, one in zip(PREFIXES, people, strict=True) for name, text in one.again.items()
    } | preferences_to_fields(preferences)
    by_link = any("?" in values.get(f"{prefix}username", "") for prefix in PREFIXES)
    if (posted or by_link or needs_redirect(values, fields)) and fits_address("together.show", fields):
        # An address can be bookmarked, reloaded and sent to someone.
        return redirect(url_for("together.show", **fields), 303)
    bundle = services().bundle()  # first: without it, no site need be asked
    lists = []
    for which, one in zip(ORDINALS, people, strict=True):
        with _about(which, one):
            lists.append(services().fetch(one.who))
    found = recommend_together(lists, bundle, preferences, services().today())
    entries = [
        _for_both(rank, one, with_facts(bundle.catalogue.anime(one.each[0].anime_id)))
        for rank, one in enumerate(found.titles, start=1)
    ]
    request_missing_facts(entry[0].anime for entry in entries)
    return render_template(
        "together.html",
        form=form,
        people=people,
        names=_names(people),
        entries=entries,
        notes=found.notes,
        shortage=found.shortage,
        rule=preferences.franchise,
        shareable=fits_address("together.show", fields),
    )


def _read(which: str, values: MultiDict[str, str]) -> ListRef:
    with _about(which):
        return read_list_ref(values)


@contextmanager
def _about(which: str, list_ref: ListRef | None = None) -> Iterator[None]:
    """Have the error page say whose list an error is about."""
    try:
        yield
    except HakkenError:
        name = f", of {list_ref.who.name}" if list_ref and isinstance(list_ref.who, Username) else ""
        g.whose_list = f"the {which.lower()} list{name}"
        raise


def _names(people: Sequence[ListRef]) -> list[str]:
    """What the page calls each person: the username, with its site where both have the same one, or their list."""
    numbered = zip(ORDINALS, people, strict=True)
    names = [one.who.name if isinstance(one.who, Username) else f"{which} list" for which, one in numbered]
    if names[0] == names[1]:
        return [f"{one.who.name} ({SITES[one.who.site]})" for one in people if isinstance(one.who, Username)]
    return names


def _for_both(rank: int, one: ForBoth, anime: Anime) -> tuple[Entry, ...]:
    """A title as the page shows it to each person."""
    matches = (max(0, round(100 * part)) for part in one.relative)
    return tuple(Entry(rank, each, anime, match) for each, match in zip(one.each, matches, strict=True))
