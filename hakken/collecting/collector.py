"""The collector: visits people, discovers more of them, and lets sites that are down rest."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hakken.collecting.parts import Kept, erase, write_part
from hakken.collecting.people import People, Person
from hakken.collecting.sweep import Sweep
from hakken.errors import (
    ClientIdRefused,
    InvalidResponse,
    PrivateList,
    SiteBlocked,
    SiteError,
    UserNotFound,
)
from hakken.sites.client import HttpClient
from hakken.sites.jikan import Jikan
from hakken.sites.list_sources import ListSource

PART_LISTS = 1000
"""Lists that a part of the table begins to be written at."""
RESERVE = 100
"""With fewer people due than this, more are discovered."""
MIN_REST, MAX_REST = 1.0, 600.0
"""Seconds for which a site that is down is left alone: doubled each time it is still down."""
HOUR = 3_600
SWEEP_SECONDS = 60.0
"""Between two looks at all titles."""
PATIENCE = 1.0
"""Seconds after which a run that waits looks whether it may go on."""
BLOCKED_IN_A_ROW, UNTOLD_IN_A_ROW = 5, 20
"""So many refusals in a row are about us, not about single lists or titles."""

_log = logging.getLogger(__name__)


class Rest:
    """When a site that failed may be asked again."""

    def __init__(self) -> None:
        self.until = 0.0
        self._failures = 0

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.until - time.monotonic())

    def begin(self, error: SiteError) -> None:
        """Rest after a failure, for as long as the site said or ever longer."""
        seconds = min(MAX_REST, MIN_REST * 2**self._failures)
        self._failures += 1
        self.until = time.monotonic() + max(seconds, error.retry_after or 0.0)
        _log.warning("%s Asking again in %.0f s.", error, self.left)

    def end(self) -> None:
        """Note that the site answers."""
        self._failures = 0


def erase_forgotten(table: Path, people: People) -> None:
    """Remove people who were forgotten from a table; raises OSError if it can't be written."""
    erase(table, people.forgotten())
    people.erased()


@dataclass
class Collector:
    """Collects into a directory.

    Attributes:
        directory: of the table.
        people: the people of the collection.
        http: sends the requests.
        source: where lists come from.
        refresh_after: seconds after which a list is fetched again.
        discovery: whom to ask for people, and for which titles; None: nobody is discovered.
        visits: how many people were visited.
    """

    directory: Path
    people: People
    http: HttpClient
    source: ListSource
    refresh_after: int
    discovery: tuple[Jikan, Sweep] | None = None
    visits: int = 0

    def __post_init__(self) -> None:
        self._lists, self._updates = Rest(), Rest()
        self._titles: list[int] = []
        self._discovered = False
        self._sweep_after = 0.0
        self._blocked = self._untold = 0

    def run(self, may_go_on: Callable[[], bool], advance: Callable[[int], None]) -> None:
        """Collect until nothing is left to do, or it may not go on; `advance` is called after each visit.

        People who were forgotten are erased first, since the run that should have done so may have been stopped.

        Raises:
            ClientIdRefused: the site refuses the client id.
            OSError, sqlite3.Error: what was collected can't be written.
        """
        erase_forgotten(self.directory, self.people)
        self.people.schedule(self.refresh_after)
        try:
            while may_go_on() and self._step(advance):
                if self.people.n_lists() >= PART_LISTS:
                    self.write()
        finally:
            self.write()

    def write(self) -> None:
        """Move all lists into a part of the table."""
        if lists := self.people.lists():
            number = self.people.next_part()
            write_part(self.directory, number, lists)
            self.people.moved(number)

    def _step(self, advance: Callable[[int], None]) -> bool:
        """Ask for one title's people, visit one person, or wait for a moment; False if nothing is left to do."""
        now = int(time.time())
        person = self.people.next(now)
        title = self._next_title(now) if self.discovery and self.people.due(now, RESERVE) < RESERVE else None
        may_discover = title is not None and not self._updates.left
        if self.discovery and title is not None and may_discover and not (self._discovered and person):
            self._discover(*self.discovery, title, now)
            self._discovered = True  # one title, then one person
        elif person is not None and not self._lists.left:
            self._visit(person, now)
            self._discovered = False
            self.visits += 1
            advance(1)
        elif title is not None or person is not None:
            rests = [rest.left for rest, work in ((self._updates, title), (self._lists, person)) if work is not None]
            time.sleep(min(*rests, PATIENCE))
        return title is not None or person is not None

    def _next_title(self, now: int) -> int | None:
        if self.discovery and not self._titles and time.monotonic() >= self._sweep_after:
            self._titles = self.discovery[1].due(now)[::-1]
            self._sweep_after = time.monotonic() + SWEEP_SECONDS
        return self._titles[-1] if self._titles else None

    def _discover(self, site: Jikan, sweep: Sweep, anime_id: int, now: int) -> None:
        try:
            names = site.fetch_updates(self.http, anime_id)
            self._untold = 0
        except (SiteBlocked, InvalidResponse) as error:
            names = []  # the site does not tell it for this title
            self._untold += 1
            if self._untold == UNTOLD_IN_A_ROW:
                _log.warning("%s Nobody else is discovered in this run.", error)
                self.discovery = None
                return
        except SiteError as error:
            self._updates.begin(error)
            return
        self._updates.end()
        self.people.add(names, now)
        self.people.ask(anime_id, now)
        sweep.done(anime_id, now)
        self._titles.pop()

    def _rest(self, person: Person, now: int, error: SiteError) -> None:
        """Let the site rest; another person comes first then, since it may fail at this list only."""
        self.people.postpone(person, now + HOUR)
        self._lists.begin(error)

    def _visit(self, person: Person, now: int) -> None:
        try:
            found = self.source.fetch_list(self.http, person.name, self.http.new_deadline())
        except ClientIdRefused:
            raise
        except (UserNotFound, PrivateList):
            self._lists.end()
            self.people.absent(person, now)
        except SiteBlocked as error:
            self._blocked += 1
            if self._blocked < BLOCKED_IN_A_ROW:
                self.people.absent(person, now)
            else:
                self._rest(person, now, error)
        except SiteError as error:
            self._rest(person, now, error)
        else:
            self._lists.end()
            self._blocked = 0
            kept = Kept.of(found)
            self.people.keep(person, msgspec.msgpack.encode(kept), len(kept.ids), now, now + self.refresh_after)
