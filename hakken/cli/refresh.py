"""python -m hakken refresh: bring what is served up to date, unless the result is worse."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import filelock
import msgspec

from hakken import __version__
from hakken.bundle import ModelBundle, put_catalogue
from hakken.catalogue import Catalogue
from hakken.cli.catalogue import CatalogueUpdate
from hakken.cli.collect import OLDEST, REFRESH_AFTER, TABLE, collect_lists, collecting_settings, collector_of
from hakken.cli.inspect import judgement_lines
from hakken.cli.options import DIRECTORY, FILE, data_time_option, quiet_option, time_span
from hakken.cli.options import TABLE as TABLE_OPTION
from hakken.cli.plain_errors import TrainingCommand, plain_errors
from hakken.cli.progress_bars import BYTES, ShownProgress, show_progress
from hakken.cli.publish import FallsBehind, PublishConflict
from hakken.cli.signals import stop_on_signal
from hakken.cli.stages import Stages
from hakken.collecting.people import People
from hakken.errors import (
    ArtefactCorrupt,
    ArtefactMissing,
    ConfigError,
    ModelError,
    PublishedMeanwhile,
    SiteError,
    StorageError,
)
from hakken.files import written_whole
from hakken.model import Parameters, store
from hakken.model.arrays import Arrays
from hakken.model.manifest import MadeFrom, Manifest
from hakken.registry import publish as publishing
from hakken.registry.storage import ObjectStore, open_store
from hakken.registry.sync import fetch
from hakken.registry.trial import try_version

if TYPE_CHECKING:
    from hakken.training.tables import RatingTable

COLLECTED, CATALOGUE, SERVED, MODEL, RESULT = "collected", "catalogue.jsonl.gz", "served", "model", "result"
PAGE, LOCK = "judgement.html", "lock"
"""Files and directories in the working directory."""
GAPS = 1000
"""Titles without relations that are requested one by one, in each run."""


@click.command(cls=TrainingCommand)
@click.argument("address", metavar="TARGET")
@click.option("--work", type=DIRECTORY, required=True, help="Directory for the collected lists and the run.")
@click.option("--collect", "seconds", callback=time_span, metavar="SPAN", help="Collect lists first, such as 6h.")
@click.option("--refresh-after", "oldest", callback=time_span, default=REFRESH_AFTER, show_default=True, help=OLDEST)
@click.option("--ratings", type=TABLE_OPTION, multiple=True, help="Further table of ratings; may be repeated.")
@data_time_option
@click.option("--params", type=FILE, help="JSON file of parameters, such as `tune` writes.")
@click.option("--offline", is_flag=True, help="Ask no site about titles; use the existing catalogue.")
@click.option("--catalogue-only", is_flag=True, help="Add new titles and facts to the served model, without training.")
@click.option("--force", is_flag=True, help="Publish even a model that is worse.")
@click.option("--dry-run", is_flag=True, help="Do everything except publish.")
@quiet_option
def refresh(
    address: str,
    work: Path,
    seconds: int | None,
    oldest: int,
    ratings: tuple[Path, ...],
    data_time: str | None,
    params: Path | None,
    offline: bool,
    catalogue_only: bool,
    force: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Bring the model at TARGET up to date: gs://bucket/prefix, a directory, or its file:// address.

    Collects lists if wanted, updates the catalogue, trains on what was collected and on further tables, judges the
    model beside the one that is served, and publishes it. It is trained without a tenth of the people, and both
    are judged by them. A model that is significantly worse, or knows much less, is refused.

    A run that was stopped goes on at its stage if it is started again within a day.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 another publisher was faster, 4 the model was refused.
    """
    if catalogue_only and (seconds or ratings or params or data_time):
        raise click.UsageError("--catalogue-only can't be combined with --collect, --ratings, --params or --data-time.")
    if catalogue_only and offline:
        raise click.UsageError("--catalogue-only can't be combined with --offline.")
    artefact, faults, said = None, list[str](), list[str]()
    with (
        stop_on_signal(lambda: "Stopped; run the same command again to continue.") as stop,
        plain_errors(),
        _locked(work),
        show_progress(stop, quiet=quiet) as progress,
    ):
        run = Refresh(open_store(address), work, progress, said)
        if catalogue_only:
            artefact = run.with_new_titles()
        else:
            if seconds:
                run.collect(seconds, oldest)
            run.update_catalogue_if_possible(offline=offline)
            artefact, faults = run.trained(ratings, data_time, params)
        if artefact and not dry_run and (force or not faults):
            said.append(run.publish(artefact))
        if not (dry_run or (faults and not force)):
            run.stages.forget()
    if not quiet:
        click.echo("\n".join(said))
    if faults and not force:
        raise FallsBehind(f"{' '.join(faults)} Nothing was published; --force publishes it anyway.")
    if dry_run and artefact and not quiet:
        click.echo(f"{artefact.version} would be published to {address}.")


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Keep another refresh off; raises StorageError if there is one, or the directory can't be written."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(work / LOCK, timeout=0):
            yield
    except filelock.Timeout:
        raise StorageError(f"Another refresh is using {work}: let it finish first.") from None
    except OSError as error:
        raise StorageError(f"{work} can't be written: {error.strerror or error}.") from error


class Refresh:
    """One refresh.

    Args:
        target: what is refreshed.
        work: the working directory.
        progress: receives the stages.
        said: gets the lines of the summary.

    Raises:
        ModelError: the target can't be used.
    """

    def __init__(self, target: ObjectStore, work: Path, progress: ShownProgress, said: list[str]) -> None:
        self._target, self._work, self._progress, self._said = target, work, progress, said
        self._state = publishing.read_state(target)
        self._served: ModelBundle | None = None
        self._artefact: store.Artefact | None = None
        if current := self._state[1]:
            try:
                with progress.stage("fetching the model"):
                    artefact = fetch(target, work / SERVED, current.version)
                    self._served, self._artefact = ModelBundle.read(artefact), artefact
            except ArtefactCorrupt as error:  # no server of today can open it, so that any model is better
                said.append(f"The current version there can't be compared: {error}")
        self.stages = Stages(work)

    def collect(self, seconds: int, oldest: int) -> None:
        """Collect lists for so many seconds since the run began."""
        left = min(seconds, seconds - self.stages.seconds)
        if left <= 0 or self.stages.is_done("collect"):
            return
        settings = collecting_settings()
        with People.of(self._work / COLLECTED) as people:
            collector = collector_of(self._work / COLLECTED / TABLE, people, settings, oldest, self._bundle)
            collect_lists(collector, self._progress, left)
            self._said.append(f"collected   {collector.visits:,} people were visited")
        self.stages.end("collect")

    def update_catalogue(self, *, offline: bool) -> Catalogue:
        """Update the catalogue by the facts site, unless that was done; it begins as the served model's."""
        file = self._work / CATALOGUE
        if not file.exists():
            with written_whole(file) as begun:
                begun.write(self._bundle.catalogue.encoded())
        if not offline and not self.stages.is_done("catalogue"):
            update = CatalogueUpdate(file, None)
            update.crawl_site("auto", GAPS, self._progress, restart=False)
            self._said += update.summary[:-1]
            self.stages.end("catalogue")
        return Catalogue.read(file)

    def update_catalogue_if_possible(self, *, offline: bool) -> None:
        """The same; if the site fails, the catalogue is as it was, since lists are worth a model all the same."""
        try:
            self.update_catalogue(offline=offline)
        except SiteError as error:
            self._said.append(f"The catalogue is unchanged: {error}")

    def with_new_titles(self) -> store.Artefact | None:
        """The served model with today's catalogue; None if that is the same."""
        if self._artefact is None:
            raise ArtefactMissing(f"There is no model at {self._target} to add new titles to.")
        from hakken.training.new_titles import with_new_titles  # noqa: PLC0415  # loads the compiler: a second

        catalogue = self.update_catalogue(offline=False)
        result = put_catalogue(self._work / RESULT, catalogue, with_new_titles, self._artefact)
        before, after = (len(Arrays.load(one).anime_ids) for one in (self._artefact, result))
        self._said.append(f"rows        {after - before:,} added, for titles that can now be recommended")
        if result.manifest.files == self._artefact.manifest.files:
            self._say_nothing_is_new()
            return None
        return result

    def trained(
        self, ratings: Sequence[Path], data_time: str | None, params: Path | None
    ) -> tuple[store.Artefact | None, list[str]]:
        """Train a model and judge it.

        Returns:
            The model, or None if the served one was made from the same; and what speaks against it.
        """
        from hakken.evaluation import judging, protocol  # noqa: PLC0415  # loads the compiler: a second
        from hakken.training import tables  # noqa: PLC0415  # loads the compiler: a second
        from hakken.training.parameters import read_parameters  # noqa: PLC0415  # loads the compiler: a second

        collected = self._work / COLLECTED / TABLE
        paths = [collected] * any(collected.glob("part-*")) + [*ratings]
        if not paths:
            raise ConfigError("There are no lists to train on: give --collect, --ratings or both.")
        chosen = read_parameters(params) if params else Parameters()
        with self._progress.stage("checksums"):
            made_from = MadeFrom(tables.described(paths, {"anime": self._work / CATALOGUE}), True, data_time)
        if self._artefact and _is_of(self._artefact.manifest, made_from, chosen):
            self._say_nothing_is_new()
            return None, []
        everyone = tables.combined([tables.read_ratings(one, progress=self._progress) for one in paths])
        people, table = protocol.judges(everyone), protocol.without_held_out(everyone)
        del everyone  # of which training needs no copy
        model = self._model(made_from, chosen, table)
        if self._served is None:
            return self._result(model, model.manifest), []
        judgement = judging.judge(ModelBundle.read(model), self._served, people, table, self._progress)
        served = self._served.model.manifest
        if not (served.made_from and served.made_from.held_out):
            self._said.append(
                "The served model was also trained on the people that judge, which gives it an advantage."
            )
        faults = list(judging.faults(judgement, model.manifest, served))
        with written_whole(self._work / PAGE) as page:
            page.write(judging.page(judgement, faults, model.version, model.manifest, served))
        self._said += [*judgement_lines(judgement), f"page        {self._work / PAGE}"]
        return self._result(model, msgspec.structs.replace(model.manifest, judgement=judgement)), faults

    def publish(self, artefact: store.Artefact) -> str:
        """Publish a version; returns a sentence."""
        with self._progress.stage("checking the model"):
            try_version(artefact)
        size = sum(publishing.file_sizes(artefact).values())
        with self._progress.stage("uploading", size, BYTES) as advance:
            try:
                publishing.publish(artefact, self._target, advance, self._state)
            except PublishedMeanwhile as error:
                raise PublishConflict(f"{error} Check which version is current there before you try again.") from error
        return f"{artefact.version} is the current version at {self._target}."

    @property
    def _bundle(self) -> ModelBundle:
        """What is served or, before anything is, what Hakken has embedded."""
        return self._served or ModelBundle.read(store.open_artefact(store.EMBEDDED))

    def _model(self, made_from: MadeFrom, parameters: Parameters, table: "RatingTable") -> store.Artefact:
        """Train on a table, unless a run that was stopped did so."""
        from hakken.training import pipeline  # noqa: PLC0415  # loads the compiler: a second

        place = self._work / MODEL
        with suppress(ModelError):
            model = store.open_artefact(place)
            if _is_of(model.manifest, made_from, parameters):
                return model
        catalogue = Catalogue.read(self._work / CATALOGUE)
        with store.replacing(place) as staged:
            fitted = pipeline.fit(table, parameters, catalogue, self._progress, made_from)
            pipeline.save(fitted, catalogue, staged, self._progress)
        return store.open_artefact(place)

    def _result(self, model: store.Artefact, manifest: Manifest) -> store.Artefact:
        """Copy a model, with another manifest, to where it is published from."""
        place = self._work / RESULT
        with store.replacing(place) as staged:
            for name in model.manifest.files:
                shutil.copyfile(model.path(name), staged / name)
            store.write_manifest(staged, manifest)
        return store.open_artefact(place)

    def _say_nothing_is_new(self) -> None:
        self._said.append(f"Nothing is new: {self._target} already has a model of the same lists and titles.")


def _is_of(manifest: Manifest, made_from: MadeFrom, parameters: Parameters) -> bool:
    """Whether a model was made from certain tables and parameters by this code."""
    known = manifest.made_from, manifest.parameters, manifest.hakken_version
    return known == (made_from, parameters, __version__)
