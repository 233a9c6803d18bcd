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
        with show_progress(stop, quiet=quiet) as bars:
            progress = stage_times.StageTimer(bars)
            with store.replacing(out) as staged:
                known = tables.read_catalogue(anime, titles, relations, strict=strict, progress=progress)
                table = tables.combined([tables.read_ratings(one, strict=strict, progress=progress) for one in ratings])
                if hold_out:
                    table = without_held_out(table)
                given_tables = {"anime": anime, "titles": titles, "relations": relations}
                made_from = MadeFrom(tables.described(ratings, given_tables), hold_out, data_time)
                fitted = pipeline.fit(table, chosen, known.catalogue, progress, made_from)
                artefact = pipeline.save(fitted, known.catalogue, staged, progress)
            run = reporting.Run(table, known, fitted, artefact._replace(directory=out), progress)
            if report:
                reporting.write_report(run, report)
    if not quiet:
        for name, text in _summary(run, report):
            click.echo(f"{name:<{WIDTH}}{text}".rstrip())


def _manifest(out: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return (out / FILE_NAME).read_bytes()
    return None


def _summary(run: "Run", report: Path | None) -> Iterator[tuple[str, str]]:
    """Summarise a run: what was read, what was made, and what each stage took; two columns of each line."""
    from hakken.training.report import REPORT_NAME, size_of, size_text  # noqa: PLC0415  # loads the compiler: a second

    table, manifest, stages = run.table, run.artefact.manifest, run.progress.stages
    yield "rows", f"{table.rows:,} read, {len(table):,} kept, {table.rows - len(table):,} left out"
    yield from _reasons(table.dropped, table.examples)
    flaws = run.titles.dropped.total()  # rows, and facts of rows that were kept
    yield (
        "catalogue",
        f"{len(run.titles.catalogue):,} titles" + (f"; {flaws:,} rows or facts left out" if flaws else ""),
    )
    yield from _reasons(run.titles.dropped, run.titles.examples)
    yield "users", f"{manifest.sizes.users:,}"
    yield "anime", f"{manifest.sizes.items:,}"
    scale = "; they were on a 100-point scale and were divided by ten" if table.hundred_points else ""
    yield "scores", f"{manifest.sizes.scored:,}; the other kept rows have no score{scale}"
    yield "data time", manifest.data_time or "unknown"
    yield "density", f"{run.density:.2%} of all pairs of a user and an anime have a score"
    yield "stages", f"{'':<24}{'seconds':>9}{'peak memory':>14}"
    for name, seconds, peak in (*stages, ("total", run.progress.seconds, run.progress.peak)):
        yield "", f"{name:<24}{seconds:>9.1f}{size_text(peak) if peak else '':>14}"
    if any(stage.peak is None for stage in stages):
        yield "", "this system reports only the peak of the whole run"
    yield "model", f"{run.artefact.directory}"
    yield "", f"version {run.artefact.version}, {size_text(size_of(run.artefact))}"
    if report:
        yield "report", f"{report / REPORT_NAME}"


def _reasons(dropped: Mapping[str, int], examples: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for reason, count in dropped.items():
        rows = "; ".join(examples.get(reason, ()))
        yield "", f"{count:>9,}  {reason}" + (f" ({rows})" if rows else "")
