"""python -m hakken catalogue: update a catalogue in a file or in a model."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Catalogue
from hakken.cli.options import FILE, quiet_option
from hakken.cli.plain_errors import check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.config import Settings
from hakken.errors import StorageError
from hakken.files import written_whole
from hakken.model import store
from hakken.model.arrays import Arrays
from hakken.model.manifest import FILE_NAME
from hakken.series import relations_of, with_series
from hakken.sites.client import HttpClient
from hakken.sites.crawl import Crawl, crawl_pages, crawl_titles, gaps
from hakken.sites.facts import facts_site, updated_all

if TYPE_CHECKING:  # importing hakken.training loads its compiler, which takes a second
    from hakken.training.progress import Progress

PAGE_TIMEOUT = 120.0
"""Seconds that one page may take, including the wait for the rate limit: no visitor is waiting."""
OUTPUT = click.Path(dir_okay=False, path_type=Path)
MODEL = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--out", "file", type=OUTPUT, help="Catalogue file to write or update.")
@click.option("--model", type=MODEL, help="Model whose catalogue to update; new titles get a row.")
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
    default=1000,
    show_default=True,
    help="How many titles without relations to request one by one, most-watched first.",
)
@click.option("--restart", is_flag=True, help="Start over instead of continuing an interrupted run.")
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
    update = CatalogueUpdate(file, model)
    with stop_on_signal(update.stopped) as stop, plain_errors():
        update.check()
        with show_progress(stop, quiet=quiet) as progress:
            if given:
                update.merge(Catalogue.read(given), progress)
            else:
                update.crawl_site(source, limit, progress, restart=restart)
    if not quiet:
        for line in update.summary:
            click.echo(line)


@dataclass
class CatalogueUpdate:
    """An update of the catalogue in a file, in a model, or in both, and how far it got."""

    file: Path | None
    model: Path | None
    crawl: Crawl | None = None
    summary: Sequence[str] = ()

    def check(self) -> None:
        """Fail before hours of work whose result could not be written; raises click.BadParameter."""
        if self.file:
            check_writable(self.file.absolute().parent, "--out")
        if self.model:
            check_writable(self.model.resolve().parent, "--model")
            if not (self.model / FILE_NAME).is_file():
                words = f"{self.model} is not the directory of a model: it has no {FILE_NAME}."
                raise click.BadParameter(words, param_hint="--model")

    def crawl_site(self, source: str, limit: int, progress: "Progress", *, restart: bool) -> None:
        """Update the catalogue with all anime of a site; see `catalogue`."""
        settings = Settings.from_environ(os.environ)
        site = facts_site(source if source != "auto" else "mal" if settings.mal_client_id else "jikan", settings)
        http = HttpClient.from_settings(msgspec.structs.replace(settings, deadline=PAGE_TIMEOUT))
        before = self._read()
        target = (self.file or self.model or Path()).resolve()
        steps = target.with_name(f".{target.name}.progress.jsonl")
        with Crawl.at(steps, site.name, restart=restart) as crawl:
            self.crawl = crawl
            expected = max(0, (crawl.total or len(before)) - len(crawl.anime))
            with progress.stage(f"reading {site.name}", expected or None, "anime") as advance:
                crawl_pages(crawl, site, http, advance)
            wanted = gaps(crawl, before, limit)
            with progress.stage("filling gaps", len(wanted), "titles") as advance:
                crawl_titles(crawl, site, http, wanted, advance)
            had, left = len(crawl.asked) - crawl.failed, len(gaps(crawl, before))
            of_site = (
                f"site        {len(crawl.anime):,} anime read, {crawl.skipped:,} entries left out",
                f"gaps        {had:,} titles requested one by one, {crawl.failed:,} failed, {left:,} left",
            )
            self.merge(Catalogue(crawl.anime.values()), progress, of_site)
            steps.unlink(missing_ok=True)

    def merge(self, found: Catalogue, progress: "Progress", of_site: Sequence[str] = ()) -> None:
        """Update the catalogue with what was found, find the series, and write each target completely or not at all.

        `of_site` are the lines of the summary about the site.
        """
        with progress.stage("finding series"):
            before = self._read()  # again: hours may have passed
            known = updated_all(before, found)
            after = with_series(known, relations_of(known))
        with progress.stage("writing"):
            if self.file:
                try:
                    self.file.parent.mkdir(parents=True, exist_ok=True)
                    with written_whole(self.file.resolve()) as file:
                        file.write(after.encoded())
                except OSError as error:
                    raise StorageError(f"The catalogue {self.file} can't be written: {error.strerror}.") from error
            of_model = [f"rows        {self._put(self.model.resolve(), after)}"] if self.model else []
            new = sum(anime_id not in before for anime_id in after)
            related = sum(one.relations_asked for one in after.values())
            known_of = f"{len(after):,} titles, {new:,} of them new; relations known of {related:,}"
            self.summary = (f"catalogue   {known_of}", *of_site, *of_model, f"written     {self._targets()}")

    def _put(self, model: Path, after: Catalogue) -> str:
        """Put the catalogue into a model, and tell how many of its titles got a row."""
        old = store.open_artefact(model)
        if not old.manifest.unwatched:
            put_catalogue(model, after)
            return "none added: the model was trained before models could get new titles; train it again"
        try:
            from hakken.training.new_titles import with_new_titles  # noqa: PLC0415  # loads the compiler: a second
        except ModuleNotFoundError:  # where only what serving needs is installed
            put_catalogue(model, after)
            return "none added: the libraries for training are not installed"
        n_before = len(Arrays.load(old).anime_ids)
        new = put_catalogue(model, after, with_new_titles)
        return f"{len(Arrays.load(new).anime_ids) - n_before:,} added, for titles that can now be recommended"

    def _read(self) -> Catalogue:
        known = ModelBundle.read(store.open_artefact(self.model)).catalogue if self.model else Catalogue([])
        if self.file and self.file.exists():
            known = updated_all(known, Catalogue.read(self.file))
        return known

    def _targets(self) -> str:
        return " and ".join(str(path) for path in (self.file, self.model) if path)

    def stopped(self) -> str:
        """What to print if a signal ended the command."""
        if self.summary:
            return f"Stopped; the catalogue had already been written to {self._targets()}."
        if self.crawl is None or not self.crawl.anime:
            return "Stopped; nothing was written."
        alone = f", {len(self.crawl.asked):,} of them requested one by one" if self.crawl.asked else ""
        return f"Stopped after {len(self.crawl.anime):,} anime{alone}; run the same command again to continue."
