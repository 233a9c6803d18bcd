"""python -m hakken train: train a model from tables, and print a summary."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from msgspec import inspect

from hakken.cli.options import DIRECTORY, FILE, TABLE, Command, data_time_option, quiet_option
from hakken.cli.plain_errors import TrainingCommand, check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.model import Parameters, store
from hakken.model.manifest import FILE_NAME, MadeFrom

if TYPE_CHECKING:
    from hakken.training.cluster import Cluster
    from hakken.training.report import Run

WIDTH = 12
"""Width of the first column of the summary."""


def parameter_options(command: Command) -> Command:
    """Add one option for each hyper-parameter, None if it is not given: its help and range are the field's."""
    struct: Any = inspect.type_info(Parameters)
    for field in reversed(struct.fields):
        limits = field.type.type
        kind: click.IntRange | click.FloatRange = click.IntRange(min=limits.ge, max=limits.le)
        if isinstance(limits, inspect.FloatType):
            lowest = limits.gt if limits.ge is None else limits.ge
            kind = click.FloatRange(min=lowest, max=limits.le, min_open=limits.ge is None)
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            callback=_finite,
            help=field.type.extra_json_schema["description"],
            show_default=str(field.default),
        )(command)
    return command


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """Reject nan and inf, which pass the range checks."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


@click.command(cls=TrainingCommand)
@click.option(
    "--ratings",
    type=TABLE,
    required=True,
    multiple=True,
    help="Table of ratings, or a folder of its parts; may be repeated; each person's newest list counts.",
)
@click.option("--anime", type=TABLE, required=True, help="Table of anime, or a catalogue file.")
@click.option("--titles", type=TABLE, help="Table of further names and facts.")
@click.option("--relations", type=TABLE, help="Table of related anime; without it series are derived from titles.")
@data_time_option
@click.option("--out", type=DIRECTORY, required=True, help="Directory of the model to write or replace.")
@click.option("--params", type=FILE, help="JSON file of parameters, such as `tune` writes; options override it.")
@parameter_options
@click.option("--hold-out", is_flag=True, help="Leave out the tenth of people that `refresh` judges models by.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Train on a Dask cluster, whose workers read the ratings by the same paths: tcp://10.0.0.1:8786; or on "
    "processes of this machine: local, local:4.",
)
@click.option("--strict", is_flag=True, help="Refuse tables with rows that cannot be used.")
@quiet_option
@click.option("--report", type=DIRECTORY, help="Directory for a report, index.html.")
def train(
    ratings: tuple[Path, ...],
    anime: Path,
    titles: Path | None,
    relations: Path | None,
    data_time: str | None,
    out: Path,
    params: Path | None,
    hold_out: bool,
    scheduler: str | None,
    strict: bool,
    quiet: bool,
    report: Path | None,
    **given: float | None,
) -> None:
    """Train a model and write it to a directory, completely or not at all."""
    before = _manifest(out)

    def sentence() -> str:
        written = _manifest(out) != before
        return f"Stopped; the model had already been written to {out}." if written else "Stopped; nothing was written."

    with stop_on_signal(sentence) as stop, plain_errors():
        if report:
            check_writable(report, "--report")
        from hakken.evaluation.protocol import without_held_out  # noqa: PLC0415  # loads the compiler: a second
        from hakken.training import parameters, pipeline, stage_times, tables  # noqa: PLC0415  # compiles for a second
        from hakken.training import report as reporting  # noqa: PLC0415  # loads the compiler: a second

        chosen = msgspec.structs.replace(
            parameters.read_parameters(params) if params else Parameters(),
            **{name: value for name, value in given.items() if value is not None},
        )
        with _cluster(scheduler, quiet=quiet) as cluster, show_progress(stop, quiet=quiet) as bars:
            progress = stage_times.StageTimer(bars)
            with store.replacing(out) as staged:
                known = tables.read_catalogue(anime, titles, relations, strict=strict, progress=progress)
                others = tables.described([], {"anime": anime, "titles": titles, "relations": relations})
                made_from = MadeFrom(others, hold_out, data_time)
                keep = without_held_out if hold_out else None
                if cluster:
                    from hakken.training import distributed  # noqa: PLC0415  # loads Dask, which few need

                    people = distributed.read(cluster, ratings, keep, strict=strict, progress=progress)
                    made_from = msgspec.structs.replace(made_from, parts=(*people.files, *others))
                    fitted = distributed.fit(
                        cluster, people, chosen, known.catalogue, progress=progress, made_from=made_from
                    )
                    reading, largest = people.reading, cluster.peak_memory()
                else:
                    read = [tables.read_ratings(one, strict=strict, progress=progress) for one in ratings]
                    table = tables.combined(read)
                    del read
                    table = keep(table) if keep else table
                    made_from = msgspec.structs.replace(made_from, parts=(*tables.described(ratings, {}), *others))
                    fitted = pipeline.fit(table, chosen, known.catalogue, progress, made_from)
                    reading, largest = table.reading, None
                artefact = pipeline.save(fitted, known.catalogue, staged, progress)
            run = reporting.Run(reading, known, fitted, artefact._replace(directory=out), progress)
            if report:
                reporting.write_report(run, report)
    if not quiet:
        for name, text in _summary(run, largest, report):
            click.echo(f"{name:<{WIDTH}}{text}".rstrip())


@contextlib.contextmanager
def _cluster(scheduler: str | None, *, quiet: bool) -> Iterator["Cluster | None"]:
    """Connect to a scheduler, if one is given."""
    if scheduler is None:
        yield None
        return
    from hakken.training.cluster import connected  # noqa: PLC0415  # loads Dask, which few need

    with connected(scheduler, (lambda _: None) if quiet else lambda line: click.echo(line, err=True)) as cluster:
        yield cluster


def _manifest(out: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return (out / FILE_NAME).read_bytes()
    return None


def _summary(run: "Run", largest: int | None, report: Path | None) -> Iterator[tuple[str, str]]:
    """Summarise a run: what was read, what was made, and what each stage took; two columns of each line.

    The peak memory of the largest worker is None if there was none.
    """
    from hakken.training.report import REPORT_NAME, size_of, size_text  # noqa: PLC0415  # loads the compiler: a second

    reading, manifest, stages = run.reading, run.artefact.manifest, run.progress.stages
    yield "rows", f"{reading.rows:,} read, {reading.kept:,} kept, {reading.rows - reading.kept:,} left out"
    yield from _reasons(reading.dropped, reading.examples)
    flaws = run.titles.dropped.total()  # rows, and facts of rows that were kept
    yield (
        "catalogue",
        f"{len(run.titles.catalogue):,} titles" + (f"; {flaws:,} rows or facts left out" if flaws else ""),
    )
    yield from _reasons(run.titles.dropped, run.titles.examples)
    yield "users", f"{manifest.sizes.users:,}"
    yield "anime", f"{manifest.sizes.items:,}"
    scale = "; they were on a 100-point scale and were divided by ten" if reading.hundred_points else ""
    yield "scores", f"{manifest.sizes.scored:,}; the other kept rows have no score{scale}"
    yield "data time", manifest.data_time or "unknown"
    yield "density", f"{run.density:.2%} of all pairs of a user and an anime have a score"
    yield "stages", f"{'':<24}{'seconds':>9}{'peak memory':>14}"
    for name, seconds, peak in (*stages, ("total", run.progress.seconds, run.progress.peak)):
        yield "", f"{name:<24}{seconds:>9.1f}{size_text(peak) if peak else '':>14}"
    if any(stage.peak is None for stage in stages):
        yield "", "this system reports only the peak of the whole run"
    if largest is not None:
        yield "workers", f"the largest used {size_text(largest)} at most; the memory above is that of the client"
    yield "model", f"{run.artefact.directory}"
    yield "", f"version {run.artefact.version}, {size_text(size_of(run.artefact))}"
    if report:
        yield "report", f"{report / REPORT_NAME}"


def _reasons(dropped: Mapping[str, int], examples: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for reason, count in dropped.items():
        rows = "; ".join(examples.get(reason, ()))
        yield "", f"{count:>9,}  {reason}" + (f" ({rows})" if rows else "")
