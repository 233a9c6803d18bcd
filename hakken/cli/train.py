"""python -m hakken train: from tables to an artefact."""

import contextlib
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec
from msgspec import inspect

from hakken.cli.plain_errors import check_writable, plain_errors
from hakken.cli.progress_bars import show_progress
from hakken.cli.signals import StopFlag, stop_on_signal
from hakken.data_time import first_moment
from hakken.model import Parameters, store
from hakken.model.manifest import FILE_NAME

if TYPE_CHECKING:
    from hakken.training.report import Run

Command = TypeVar("Command", bound=Callable[..., None])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TABLE = click.Path(exists=True, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
A_DAY = timedelta(days=1)
"""Clocks, and what a table's author calls today, may be ahead of ours by so much."""


def parameter_options(command: Command) -> Command:
    """Add one option for each hyper-parameter: its help is `Parameters`' own docstring, its range that of the field.

    One that is not given is None.
    """
    told = dict(re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", Parameters.__doc__ or "", re.MULTILINE))
    kind = inspect.type_info(Parameters)
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    for field in reversed(fields):
        words = " ".join(told.get(field.name, "").split())
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=_range(field.type),
            callback=_finite,
            help=words[:1].upper() + words[1:] if words[:1].isascii() else words,  # λ is no Λ
            show_default=str(field.default),
        )(command)
    return command


def _range(kind: inspect.Type) -> click.IntRange | click.FloatRange:
    if isinstance(kind, inspect.IntType):
        return click.IntRange(min=kind.ge, max=kind.le)
    if isinstance(kind, inspect.FloatType):
        lowest = kind.gt if kind.ge is None else kind.ge
        return click.FloatRange(min=lowest, max=kind.le, min_open=kind.ge is None)
    raise TypeError(f"There is no option for a hyper-parameter of the type {kind}.")


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """Refuse what compares with no bound (nan) or reaches past all (inf)."""
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
    if begins > datetime.now(UTC) + A_DAY:
        raise click.BadParameter(f"{value} is in the future.")
    return value


@click.command()
@click.option("--ratings", type=TABLE, required=True, help="Table of ratings, or a folder of its parts.")
@click.option("--anime", type=TABLE, required=True, help="Table of anime.")
@click.option("--titles", type=TABLE, help="Table of further names and facts.")
@click.option("--relations", type=TABLE, help="Table of how anime are related; else titles tell series.")
@click.option(
    "--data-time",
    callback=_data_time,
    help="Up to when the ratings go, such as 2026-03 or 2026-03-01, where the table does not tell.",
)
@click.option("--out", type=DIRECTORY, required=True, help="Directory of the model to write or replace.")
@click.option("--params", type=FILE, help="Hyper-parameters as JSON, such as `tune` writes; options go before it.")
@parameter_options
@click.option("--strict", is_flag=True, help="Refuse tables with rows that can't be used, rather than leave those out.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--report", type=DIRECTORY, help="Directory for a page, index.html, to judge the model by.")
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
    """Train a model and write it to a directory, whole or not at all."""
    before = _manifest(out)

    def sentence() -> str:
        written = _manifest(out) != before
        return f"Stopped; the model had already been written to {out}." if written else "Stopped; nothing was written."

    with stop_on_signal(sentence) as stop, plain_errors():
        if report:
            check_writable(report, "--report")
        sources = (ratings, anime, titles, relations)
        run = _train(stop, sources, data_time, out, _parameters(params, given), strict, quiet, report)
    if not quiet:
        # Loading the compiler takes a second, which the other commands should not wait for; here and below.
        from hakken.cli.summary import summary  # noqa: PLC0415  # loads slowly

        click.echo(summary(run, report), nl=False)


def _train(
    stop: StopFlag,
    sources: tuple[Path, Path, Path | None, Path | None],
    data_time: str | None,
    out: Path,
    parameters: Parameters,
    strict: bool,
    quiet: bool,
    report: Path | None,
) -> "Run":
    from hakken.training import pipeline, tables  # noqa: PLC0415  # loads slowly
    from hakken.training import report as reporting  # noqa: PLC0415  # loads slowly
    from hakken.training.stage_times import StageTimer  # noqa: PLC0415  # loads slowly

    ratings, anime, titles, relations = sources
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
    return run


def _parameters(path: Path | None, given: dict[str, float | None]) -> Parameters:
    from hakken.training.parameters import read_parameters  # noqa: PLC0415  # loads slowly

    chosen = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(read_parameters(path) if path else Parameters(), **chosen)


def _manifest(out: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return (out / FILE_NAME).read_bytes()
    return None
