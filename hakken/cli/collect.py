"""python -m hakken collect: collect public lists, for training."""

import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec
import numpy as np

from hakken.bundle import ModelBundle
from hakken.cli.catalogue import PAGE_TIMEOUT
from hakken.cli.options import DIRECTORY, quiet_option, time_span
from hakken.cli.plain_errors import TrainingCommand, plain_errors
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
    from hakken.training.progress import Progress

TABLE = "lists"
"""Folder of the table in the directory."""
PAGE_SIZES = {Mal.name: mal.LIST_PAGE_SIZE, Jikan.name: jikan.LIST_PAGE_SIZE}
"""Entries that one request gets."""
REFRESH_AFTER, OLDEST = "90d", "Age at which a list is fetched again."


@click.command(cls=TrainingCommand)
@click.option("--out", type=DIRECTORY, required=True, help="Directory to collect into.")
@click.option("--usernames", type=click.File(), help="File of usernames to visit, one a line, or -.")
@click.option("--discover", is_flag=True, help="Find people by the titles that they changed lately, new ones first.")
@click.option("--refresh-after", "oldest", callback=time_span, default=REFRESH_AFTER, show_default=True, help=OLDEST)
@click.option("--for", "seconds", callback=time_span, help="End after this time, such as 6h.")
@click.option("--lists", "most", type=click.IntRange(min=1), help="End after this many visits.")
@click.option("--forget", metavar="NAME", help="Remove a person, their list and their name, for good.")
@click.option("--status", is_flag=True, help="Print what was collected, and collect nothing.")
@quiet_option
def collect(
    out: Path,
    usernames: IO[str] | None,
    discover: bool,
    oldest: int,
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
    from hakken.collecting.collector import erase_forgotten  # noqa: PLC0415  # loads a library that servers lack

    with plain_errors():
        settings = collecting_settings()
    collector: Collector | None = None

    def sentence() -> str:
        visits = collector.visits if collector else 0
        return f"Stopped after {visits:,} visits; run the same command again to continue."

    with stop_on_signal(sentence) as stop, plain_errors(), People.of(out) as people:
        if forget is not None:
            people.forget(Username(forget).name)
            erase_forgotten(out / TABLE, people)
        elif not status:
            bundle = open_bundle(settings) if discover else None
            collector = collector_of(out / TABLE, people, settings, oldest, bundle)
            people.add(_names(usernames) if usernames else (), int(time.time()))
            with show_progress(stop, quiet=quiet) as progress:
                collect_lists(collector, progress, seconds, most)
        if not quiet:
            for line in _summary(people.known(), settings):
                click.echo(line)


def collecting_settings() -> Settings:
    """The operator's settings, for requests that no visitor waits for; raises ConfigError."""
    return msgspec.structs.replace(Settings.from_environ(os.environ), deadline=PAGE_TIMEOUT)


def collect_lists(
    collector: "Collector", progress: "Progress", seconds: float | None = None, most: int | None = None
) -> None:
    """Collect for so many seconds, for so many visits, or until nothing is left to do; raises as `Collector.run`."""
    end = time.monotonic() + (math.inf if seconds is None else seconds)
    expected = most or collector.people.due(int(time.time()))
    with progress.stage("collecting lists", expected, "lists") as advance:
        collector.run(lambda: time.monotonic() < end and collector.visits < (most or math.inf), advance)


def _names(lines: Iterable[str]) -> Iterator[str]:
    """The usernames of a file; raises BadUsername for one that is none."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield Username(line).name
            except BadUsername as error:
                raise BadUsername(f"Line {number}: {error}") from None


def collector_of(
    table: Path, people: People, settings: Settings, refresh_after: int, bundle: ModelBundle | None
) -> "Collector":
    """A collector that, with a bundle, discovers people by its titles; raises ConfigError without a source of lists."""
    from hakken.collecting.collector import Collector  # noqa: PLC0415  # loads a library that servers lack

    http = HttpClient.from_settings(settings, share=settings.collect_share)
    collector = Collector(table, people, http, _source(settings), refresh_after)
    if bundle:
        updates, anime = Jikan(settings.jikan_url), list(bundle.catalogue.values())
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
    raise ConfigError("Lists come from MyAnimeList's API or your own Jikan: set MAL_CLIENT_ID or HAKKEN_JIKAN_URL.")


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
        yield f"full round  {timedelta(seconds=round(seconds))} at the set rate"
