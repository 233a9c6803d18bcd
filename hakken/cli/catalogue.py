"""python -m hakken catalogue: update a catalogue in a file or in a model."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
from hakken.sites.base import FactsSite
from hakken.sites.client import HttpClient
from hakken.sites.crawl import Crawl, crawl_pages, crawl_titles, gaps
from hakken.sites.facts import facts_site
from hakken.sites.merge import updated_all

PAGE_TIMEOUT = 120.0
"""Seconds that one page may take, including the wait for the rate limit: no visitor is waiting."""
GAPS = 1000

OUTPUT = click.Path(dir_okay=False, path_type=Path)
MODEL = click.Path(exists=True, file_okay=False, path_type=Path)


class Targets(NamedTuple):
    """The file and the model whose catalogue is updated."""

    file: Path | None
    model: Path | None

    @property
    def progress(self) -> Path:
        """Path of the progress of an interrupted run."""
        target = (self.file or self.model or Path()).resolve()
        return target.with_name(f".{target.name}.progress.jsonl")

    def __str__(self) -> str:
        return " and ".join(str(path) for path in self if path)

    def check(self) -> None:
        """Fail before hours of work whose result could not be written.

        Raises:
            click.BadParameter: nothing can be written there.
        """
        if self.file:
            check_writable(self.file.absolute().parent, "--out")
        if self.model:
            check_writable(self.model.resolve().parent, "--model")
            if not (self.model / FILE_NAME).is_file():
                words = f"{self.model} is not the directory of a model: it has no {FILE_NAME}."
                raise click.BadParameter(words, param_hint="--model")

    def read(self) -> Catalogue:
        """Read the catalogue as it is now.

        Raises:
            ModelError: it can't be read.
        """
        known = Catalogue([])
        if self.model:
            known = ModelBundle.read(store.open_artefact(self.model)).catalogue
        if self.file and self.file.exists():
            known = updated_all(known, Catalogue.read(self.file))
        return known

    def write(self, catalogue: Catalogue) -> None:
        """Write the catalogue, each target completely or not at all.

        Raises:
            ModelError: it can't be written.
        """
        if self.file:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(self.file.resolve()) as file:
                    file.write(catalogue.encoded())
            except OSError as error:
                raise StorageError(f"The catalogue {self.file} can't be written: {error.strerror}.") from error
        if self.model:
            put_catalogue(self.model.resolve(), catalogue)


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
    targets = Targets(file, model)
    done = _Report()
    with stop_on_signal(done.sentence) as stop, plain_errors():
        targets.check()
        if given:
            _finish(targets, Catalogue.read(given), done, stop, quiet=quiet)
        else:
            settings = Settings.from_environ(os.environ)
            name = source if source != "auto" else "mal" if settings.mal_client_id else "jikan"
            http = HttpClient.from_settings(msgspec.structs.replace(settings, deadline=PAGE_TIMEOUT))
            _refresh(targets, facts_site(name, settings), http, limit, done, stop, restart, quiet)
    if not quiet:
        for line in done.summary():
            click.echo(line)


class _Report:
    """How far the command got."""

    def __init__(self) -> None:
        self.crawl: Crawl | None = None
        self.before = self.after = Catalogue([])
        self.left = 0
        self.written: Targets | None = None

    def sentence(self) -> str:
        """What to print if a signal ended the command."""
        if self.written:
            return f"Stopped; the catalogue had already been written to {self.written}."
        if self.crawl is None or not self.crawl.anime:
            return "Stopped; nothing was written."
        alone = f", {len(self.crawl.asked):,} of them requested one by one" if self.crawl.asked else ""
        return f"Stopped after {len(self.crawl.anime):,} anime{alone}; run the same command again to continue."

    def summary(self) -> Iterator[str]:
        """Summarise what was done."""
        new = sum(anime_id not in self.before for anime_id in self.after)
        related = sum(one.relations_asked for one in self.after.values())
        yield f"catalogue   {len(self.after):,} titles, {new:,} of them new; relations known of {related:,}"
        if self.crawl:
            had = len(self.crawl.asked) - self.crawl.failed
            yield f"site        {len(self.crawl.anime):,} anime read, {self.crawl.skipped:,} entries left out"
            yield f"gaps        {had:,} titles requested one by one, {self.crawl.failed:,} failed, {self.left:,} left"
        yield f"written     {self.written}"


def _refresh(
    targets: Targets,
    site: FactsSite,
    http: HttpClient,
    limit: int,
    done: _Report,
    stop: StopFlag,
    restart: bool,
    quiet: bool,
) -> None:
    before = targets.read()
    with Crawl.at(targets.progress, site.name, restart=restart) as crawl:
        done.crawl = crawl
        with show_progress(stop, quiet=quiet) as progress:
            left = max(0, (crawl.total or len(before)) - len(crawl.anime))
            with progress.stage(f"reading {site.name}", left or None, "anime") as advance:
                crawl_pages(crawl, site, http, advance)
            wanted = gaps(crawl, before, limit)
            with progress.stage("filling gaps", len(wanted), "titles") as advance:
                crawl_titles(crawl, site, http, wanted, advance)
        done.left = len(gaps(crawl, before, len(before) + len(crawl.anime) + len(crawl.asked)))
        _finish(targets, Catalogue(crawl.anime.values()), done, stop, quiet=quiet)
        targets.progress.unlink(missing_ok=True)


def _finish(targets: Targets, found: Catalogue, done: _Report, stop: StopFlag, *, quiet: bool) -> None:
    """Find the series of the updated catalogue, and write it."""
    with show_progress(stop, quiet=quiet) as progress:
        with progress.stage("finding series"):
            done.before = targets.read()  # again: hours may have passed
            known = updated_all(done.before, found)
            done.after = with_series(known, relations_of(known))
        with progress.stage("writing"):
            targets.write(done.after)
            done.written = targets
