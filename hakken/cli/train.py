"""python -m hakken train: train a model from tables, and print a summary."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import inspect

from hakken.cli.options import DIRECTORY, FILE, TABLE, Command, quiet_option
from hakken.cli.plain_errors import check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import stop_on_signal
from hakken.data_time import first_moment
from hakken.model import Parameters, store
from hakken.model.manifest import FILE_NAME

if TYPE_CHECKING:
    from hakken.training.report import Run

MAX_CLOCK_DIFFERENCE = timedelta(days=1)
"""How far another clock, or the author's date in another time zone, may be ahead of ours."""
WIDTH = 12
"""Width of the first column of the summary."""


def parameter_options(command: Command) -> Command:
    """Add one option for each hyper-parameter, None if it is not given: its help and range are the field's."""
    kind = inspect.type_info(Parameters)
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    for field in reversed(fields):
        if not isinstance(field.type, inspect.Metadata):
            raise TypeError(f"The hyper-parameter {field.name} has no description.")
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=_range(field.type.type),
            callback=_finite,
            help=(field.type.extra_json_schema or {})["description"],
            show_default=str(field.default),
        )(command)
    return command


def _range(kind: inspect.Type) -> click.IntRange | click.FloatRange:
    if isinstance(kind, inspect.IntType):
        return click.IntRange(min=kind.ge, max=kind.le)
    if isinstance(kind, inspect.FloatType):
        lowest = kind.gt if kind.ge is None else kind.ge
        return click.FloatRange(min=lowest, max=kind.le, min_open=kind.ge is None)
    raise TypeError(f"Hyper-parameters of type {kind} have no option.")


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """Reject nan and inf, which pass the range checks."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number to compute with.")
    return value


def _data_time(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        begins = first_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if begins > datetime.now(UTC) + MAX_CLOCK_DIFFERENCE:
        raise click.BadParameter(f"{value} is in the future.")
    return value


@click.command()
@click.option("--ratings", type=TABLE, required=True, help="Table of ratings, or a folder of its parts.")
@click.option("--anime", type=TABLE, required=True, help="Table of anime.")
@click.option("--titles", type=TABLE, help="Table of further names and facts.")
@click.option("--relations", type=TABLE, help="Table of related anime; without it series are derived from titles.")
@click.option(
    "--data-time",
    callback=_data_time,
    help="Data time, such as 2026, 2026-03 or 2026-03-01, if the table has none.",
)
@click.option("--out", type=DIRECTORY, required=True, help="Directory of the model to write or replace.")
@click.option("--params", type=FILE, help="JSON file of parameters, such as `tune` writes; options override it.")
@parameter_options
@click.option("--strict", is_flag=True, help="Refuse tables with rows that cannot be used.")
@quiet_option
@click.option("--report", type=DIRECTORY, help="Directory for a report, index.html.")
def train(
    ratings: Path,
    anime: Path,
    titles: Path | None,
    relations: Path | None,
    data_time: str | None,
    out: Path,
    params: Path | None,
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
        # Loading the compiler takes a second, which other commands should not wait for; here and below.
        from hakken.training import pipeline, tables  # noqa: PLC0415  # loads the compiler: a second
        from hakken.training import report as reporting  # noqa: PLC0415  # loads the compiler: a second
        from hakken.training.stage_times import StageTimer  # noqa: PLC0415  # loads the compiler: a second

        parameters = _parameters(params, given)
        with show_progress(stop, quiet=quiet) as bars:
            progress = StageTimer(bars)
            with store.replacing(out) as staged:
                with progress.stage("reading anime"):
                    known = tables.read_anime_table(anime, titles, strict=strict)
                with progress.stage("finding series"):
                    known = tables.in_series(known, relations, strict=strict)
                table = tables.read_ratings(ratings, strict=strict, progress=progress)
                fitted = pipeline.fit(table, parameters, known.catalogue, progress, data_time)
                artefact = pipeline.save(fitted, known.catalogue, staged, progress)
            run = reporting.Run(table, known, fitted, artefact._replace(directory=out), progress)
            if report:
                reporting.write_report(run, report)
    if not quiet:
        for line in _summary(run, report):
            click.echo(line.rstrip())


def _parameters(path: Path | None, given: dict[str, float | None]) -> Parameters:
    from hakken.training.parameters import read_parameters  # noqa: PLC0415  # loads the compiler: a second

    chosen = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(read_parameters(path) if path else Parameters(), **chosen)


def _manifest(out: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return (out / FILE_NAME).read_bytes()
    return None


def _summary(run: "Run", report: Path | None) -> Iterator[str]:
    """Summarise a run: what was read, what was made, and what each stage took."""
    from hakken.training.report import REPORT_NAME, size_of, size_text  # noqa: PLC0415  # loads the compiler: a second

    table, manifest, stages = run.table, run.artefact.manifest, run.progress.stages
    left_out = table.rows - len(table)
    yield _line("rows", f"{table.rows:,} read, {len(table):,} kept, {left_out:,} left out")
    yield from _reasons(table.dropped, table.examples)
    flaws = run.titles.dropped.total()  # rows, and facts of rows that were kept
    titles = f"{len(run.titles.catalogue):,} titles"
    yield _line("catalogue", f"{titles}; left out of it, {flaws:,}" if flaws else titles)
    yield from _reasons(run.titles.dropped, run.titles.examples)
    yield _line("users", f"{manifest.sizes.users:,}")
    yield _line("anime", f"{manifest.sizes.items:,}")
    scale = "; they were of 100 points, and were divided by ten" if table.hundred_points else ""
    yield _line("scores", f"{manifest.sizes.scored:,}; the other rows kept have none{scale}")
    yield _line("data time", manifest.data_time or "unknown")
    yield _line("density", f"{run.density:.2%} of all pairs of a user and an anime have a score")
    yield _line("stages", f"{'':<24}{'seconds':>9}{'peak memory':>14}")
    for name, seconds, peak in (*stages, ("in all", run.progress.seconds, run.progress.peak)):
        yield _line("", f"{name:<24}{seconds:>9.1f}{size_text(peak) if peak else '':>14}")
    if any(stage.peak is None for stage in stages):
        yield _line("", "this system tells the peak of the whole run only")
    yield _line("model", f"{run.artefact.directory}")
    yield _line("", f"version {run.artefact.version}, {size_text(size_of(run.artefact))}")
    if report:
        yield _line("report", f"{report / REPORT_NAME}")


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


def _reasons(dropped: Mapping[str, int], examples: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for reason, count in dropped.items():
        rows = "; ".join(examples.get(reason, ()))
        yield _line("", f"{count:>9,}  {reason}" + (f" ({rows})" if rows else ""))
