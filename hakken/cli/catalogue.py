"""python -m hakken catalogue: update a catalogue in a file or in a model."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Catalogue
from hakken.cli.options import FILE, quiet_option
from hakken.cli.plain_errors import check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import StopFlag, stop_on_signal
from hakken.config import Settings
from hakken.errors import StorageError
from hakken.files import written_whole
from hakken.model import store
from hakken.model.manifest import FILE_NAME
from hakken.series import relations_of, with_series
from hakken.sites.client import HttpClient
from hakken.sites.crawl import Crawl, crawl_pages, crawl_titles, gaps
from hakken.sites.facts import facts_site, updated_all

PAGE_TIMEOUT = 120.0
"""Seconds that one page may take, including the wait for the rate limit: no visitor is waiting."""
GAPS = 1000

OUTPUT = click.Path(dir_okay=False, path_type=Path)
MODEL = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--out", "file", type=OUTPUT, help="Catalogue file to write or update.")
@click.option("--model", type=MODEL, help="Model whose catalogue to update; its arrays do not change.")
@click.option("--from", "given", type=FILE, help="Take facts from this catalogue, without asking a site.")
@click.option(
    "--source",
    type=click.Choice(["auto", "mal", "jikan"]),
    default="auto",
    show_default=True,
    help="Site to ask; auto: mal if there is a MAL_CLIENT_ID, else jikan.",
)
@click.option(
    "--gaps",
    "limit",
    type=click.IntRange(min=0),
    default=GAPS,
    show_default=True,
    help="How many titles without relations to request one by one, most-watched first.",
)
@click.option("--restart", is_flag=True, help="Start over, in place of continuing an interrupted run.")
@quiet_option
def catalogue(
    file: Path | None,
    model: Path | None,
    given: Path | None,
    source: str,
    limit: int,
    restart: bool,
    quiet: bool,
) -> None:
    """Update a catalogue with all anime that a site knows, in a file, in a model, or in both.

    Facts of the site replace known ones; facts that it lacks are kept. An interrupted run continues when it is started
    again.
    """
    if not (file or model):
        raise click.UsageError("Give the target: --out FILE, --model DIR, or both.")
    update = _Update(file, model, quiet=quiet)
    with stop_on_signal(update.stopped) as stop, plain_errors():
        update.check()
        if given:
            update.merge(Catalogue.read(given), stop)
        else:
            update.crawl_site(source, limit, stop, restart=restart)
    if not quiet:
        for line in update.summary():
            click.echo(line)


class _Update:
    """An update of the catalogue in a file, in a model, or in both, and how far it got."""

    def __init__(self, file: Path | None, model: Path | None, *, quiet: bool) -> None:
        self._file = file
        self._model = model
        self._quiet = quiet
        self._targets = " and ".join(str(path) for path in (file, model) if path)
        self._crawl: Crawl | None = None
        self._before = self._after = Catalogue([])
        self._left = 0
        self._is_written = False

    def check(self) -> None:
        """Fail before hours of work whose result could not be written; raises click.BadParameter."""
        if self._file:
            check_writable(self._file.absolute().parent, "--out")
        if self._model:
            check_writable(self._model.resolve().parent, "--model")
            if not (self._model / FILE_NAME).is_file():
                words = f"{self._model} is not the directory of a model: it has no {FILE_NAME}."
                raise click.BadParameter(words, param_hint="--model")

    def crawl_site(self, source: str, limit: int, stop: StopFlag, *, restart: bool) -> None:
        """Update the catalogue with all anime of a site; see `catalogue`."""
        settings = Settings.from_environ(os.environ)
        site = facts_site(source if source != "auto" else "mal" if settings.mal_client_id else "jikan", settings)
        http = HttpClient.from_settings(msgspec.structs.replace(settings, deadline=PAGE_TIMEOUT))
        before = self._read()
        target = (self._file or self._model or Path()).resolve()
        steps = target.with_name(f".{target.name}.progress.jsonl")
        with Crawl.at(steps, site.name, restart=restart) as crawl:
            self._crawl = crawl
            with show_progress(stop, quiet=self._quiet) as progress:
                left = max(0, (crawl.total or len(before)) - len(crawl.anime))
                with progress.stage(f"reading {site.name}", left or None, "anime") as advance:
                    crawl_pages(crawl, site, http, advance)
                wanted = gaps(crawl, before, limit)
                with progress.stage("filling gaps", len(wanted), "titles") as advance:
                    crawl_titles(crawl, site, http, wanted, advance)
            self._left = len(gaps(crawl, before))
            self.merge(Catalogue(crawl.anime.values()), stop)
            steps.unlink(missing_ok=True)

    def merge(self, found: Catalogue, stop: StopFlag) -> None:
        """Update the catalogue with what was found, find the series, and write it."""
        with show_progress(stop, quiet=self._quiet) as progress:
            with progress.stage("finding series"):
                self._before = self._read()  # again: hours may have passed
                known = updated_all(self._before, found)
                self._after = with_series(known, relations_of(known))
            with progress.stage("writing"):
                self._write()
                self._is_written = True

    def _read(self) -> Catalogue:
        known = Catalogue([])
        if self._model:
            known = ModelBundle.read(store.open_artefact(self._model)).catalogue
        if self._file and self._file.exists():
            known = updated_all(known, Catalogue.read(self._file))
        return known

    def _write(self) -> None:
        """Write the catalogue, each target completely or not at all."""
        if self._file:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(self._file.resolve()) as file:
                    file.write(self._after.encoded())
            except OSError as error:
                raise StorageError(f"The catalogue {self._file} can't be written: {error.strerror}.") from error
        if self._model:
            put_catalogue(self._model.resolve(), self._after)

    def stopped(self) -> str:
        """What to print if a signal ended the command."""
        if self._is_written:
            return f"Stopped; the catalogue had already been written to {self._targets}."
        if self._crawl is None or not self._crawl.anime:
            return "Stopped; nothing was written."
        alone = f", {len(self._crawl.asked):,} of them requested one by one" if self._crawl.asked else ""
        return f"Stopped after {len(self._crawl.anime):,} anime{alone}; run the same command again to continue."

    def summary(self) -> Iterator[str]:
        """Summarise what was done."""
        new = sum(anime_id not in self._before for anime_id in self._after)
        related = sum(one.relations_asked for one in self._after.values())
        yield f"catalogue   {len(self._after):,} titles, {new:,} of them new; relations known of {related:,}"
        if crawl := self._crawl:
            had = len(crawl.asked) - crawl.failed
            yield f"site        {len(crawl.anime):,} anime read, {crawl.skipped:,} entries left out"
            yield f"gaps        {had:,} titles requested one by one, {crawl.failed:,} failed, {self._left:,} left"
        yield f"written     {self._targets}"
