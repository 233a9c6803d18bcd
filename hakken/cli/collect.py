"""python -m hakken collect: collect public lists, for training."""

import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec
import numpy as np

from hakken.cli.catalogue import PAGE_TIMEOUT
from hakken.cli.options import DIRECTORY, quiet_option
from hakken.cli.plain_errors import plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.collecting.people import Known, People
from hakken.collecting.sweep import Sweep
from hakken.config import PUBLIC_JIKAN_URL, Settings
from hakken.errors import BadUsername, ConfigError, SiteError
from hakken.ratings import Username
from hakken.served_model import open_bundle
from hakken.sites import jikan, mal
from hakken.sites.client import HttpClient
from hakken.sites.jikan import Jikan
from hakken.sites.list_sources import ListSource
from hakken.sites.mal import Mal
from hakken.sites.rate_limit import SLACK_MS, part_of

if TYPE_CHECKING:
    from hakken.collecting.collector import Collector

TABLE = "lists"
"""Folder of the table in the directory."""
PAGE_SIZES = {Mal.name: mal.LIST_PAGE_SIZE, Jikan.name: jikan.LIST_PAGE_SIZE}
"""Entries that one request gets."""
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _seconds(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Read a time span: a whole number of days, hours, minutes or seconds, such as 90d."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found:
        raise click.BadParameter(f"{text!r} is no time: write 90d, 6h or 30m.")
    return int(found[1]) * UNITS[found[2]]


@click.command()
@click.option("--out", type=DIRECTORY, required=True, help="Directory to collect into.")
@click.option("--usernames", type=click.File(), help="File of usernames to visit, one a line, or -.")
@click.option("--discover", is_flag=True, help="Find people by the titles that they touched lately, new ones first.")
@click.option("--refresh-after", callback=_seconds, default="90d", show_default=True, help="How old a list may get.")
@click.option("--for", "seconds", callback=_seconds, help="End after this time, such as 6h.")
@click.option("--lists", "most", type=click.IntRange(min=1), help="End after so many visits.")
@click.option("--forget", metavar="NAME", help="Remove a person, their list and their name, for good.")
@click.option("--status", is_flag=True, help="Say what was collected, and collect nothing.")
@quiet_option
def collect(
    out: Path,
    usernames: IO[str] | None,
    discover: bool,
    refresh_after: int,
    seconds: int | None,
    most: int | None,
    forget: str | None,
    status: bool,
    quiet: bool,
) -> None:
    """Collect public lists of MyAnimeList into a table that `train` reads.

    People who are known are visited again when their list is old. A run that ends, for whatever reason, is continued
    by the next. Usernames are kept in names.sqlite only; the table has keyed hashes.
    """
    from hakken.collecting.parts import erase  # noqa: PLC0415  # loads a library that servers lack

    with plain_errors():
        settings = msgspec.structs.replace(Settings.from_environ(os.environ), deadline=PAGE_TIMEOUT)
    done = 0

    def sentence() -> str:
        return f"Stopped after {done:,} visits; run the same command again to continue."

    with stop_on_signal(sentence) as stop, plain_errors(), People.of(out) as people:
        if forget is not None:
            people.forget(Username(forget).name)
            erase(out / TABLE, people.forgotten())
            people.erased()
        elif not status:
            collector = _collector(out, people, settings, refresh_after, discover=discover)
            erase(out / TABLE, people.forgotten())  # an earlier run may have been stopped before
            people.erased()
            people.add(_names(usernames) if usernames else (), int(time.time()))
            end = time.monotonic() + (seconds or math.inf)
            with (
                show_progress(stop, quiet=quiet) as progress,
                progress.stage("collecting lists", most or people.due(int(time.time())), "lists") as advance,
            ):

                def visited(n: int) -> None:
                    nonlocal done
                    done += n
                    advance(n)

                collector.run(lambda: time.monotonic() < end and done < (most or math.inf), visited)
        if not quiet:
            for line in _summary(people.known(), settings):
                click.echo(line)


def _names(lines: Iterable[str]) -> Iterator[str]:
    """The usernames of a file; raises BadUsername for one that is none."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Username(line).name
            except BadUsername as error:
                raise BadUsername(f"Line {number}: {error}") from None


def _collector(out: Path, people: People, settings: Settings, refresh_after: int, *, discover: bool) -> "Collector":
    """A collector as the settings and options have it; raises ConfigError if there is no source of lists."""
    from hakken.collecting.collector import Collector  # noqa: PLC0415  # loads a library that servers lack

    http = HttpClient.from_settings(settings, share=settings.collect_share)
    collector = Collector(out / TABLE, people, http, _source(settings), refresh_after)
    if discover:
        updates, bundle = Jikan(settings.jikan_url), open_bundle(settings)
        anime = list(bundle.catalogue.values())
        rows, known = bundle.model.rows_of([one.anime_id for one in anime])
        raters = dict(
            zip((one.anime_id for one in anime), np.where(known, bundle.model.arrays.raters[rows], 0), strict=True)
        )
        sweep = Sweep(anime, raters.__getitem__, people.asked(), datetime.now(UTC).date())
        with suppress(SiteError):  # the catalogue may know the season as well
            sweep.add_new(updates.fetch_season(http))
        collector.discovery = updates, sweep
    return collector


def _source(settings: Settings) -> ListSource:
    if settings.mal_client_id:
        return Mal(settings.mal_url, settings.mal_client_id)
    if settings.jikan_url.rstrip("/") != PUBLIC_JIKAN_URL:
        return Jikan(settings.jikan_url)
    raise ConfigError(
        "Lists come from MyAnimeList's API or a Jikan of your own: set MAL_CLIENT_ID or HAKKEN_JIKAN_URL."
    )


def _summary(known: Known, settings: Settings) -> Iterator[str]:
    others = f"{known.waiting:,} not visited yet, {known.absent:,} private or gone"
    yield f"people      {known.people:,} with a list, {others}"
    yield f"entries     {known.entries:,}"
    newest = datetime.fromtimestamp(known.newest, UTC) if known.newest else None
    yield f"newest      {newest:%Y-%m-%d %H:%M} UTC" if newest else "newest      none"
    with suppress(ConfigError):
        source = _source(settings)
        requests = known.people + known.entries // PAGE_SIZES[source.name]
        rates = [part_of(rate, settings.collect_share) for rate in settings.rates.get(source.name, ())]
        seconds = requests * max(((rate.seconds + SLACK_MS / 1000) / rate.requests for rate in rates), default=0.0)
        yield f"all anew    {timedelta(seconds=round(seconds))} at the set rate"
