"""What a training run says at its end: what it read, what it made, and what that took."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hakken.training.report import REPORT_NAME, Run, size_of, size_text

WIDTH = 12


def summary(run: Run, report: Path | None) -> str:
    """Sum a run up, for a terminal.

    Args:
        run: the run.
        report: directory of its report, if it wrote one.
    """
    return "".join(f"{line.rstrip()}\n" for line in _lines(run, report))


def _lines(run: Run, report: Path | None) -> Iterator[str]:
    table, sizes = run.table, run.artefact.manifest.sizes
    left_out = table.rows - len(table)
    yield _line("rows", f"{table.rows:,} read, {len(table):,} kept, {left_out:,} left out")
    yield from _reasons(table.dropped, table.examples)
    flaws = run.titles.dropped.total()  # rows, and facts of rows that were kept
    yield _line(
        "catalogue", f"{len(run.titles.catalogue):,} titles" + (f"; left out of it, {flaws:,}" if flaws else "")
    )
    yield from _reasons(run.titles.dropped, run.titles.examples)
    yield _line("users", f"{sizes.users:,}")
    yield _line("anime", f"{sizes.items:,}")
    yield _line("scores", f"{sizes.scored:,}; the other rows kept have none")
    yield _line("data time", run.artefact.manifest.data_time or "unknown")
    yield _line("density", f"{run.density:.2%} of all pairs of a user and an anime have a score")
    yield _line("stages", f"{'':<24}{'seconds':>9}{'peak memory':>14}")
    for stage in run.progress.stages:
        yield _line("", f"{stage.name:<24}{stage.seconds:>9.1f}{size_text(stage.peak) if stage.peak else '':>14}")
    yield _line("", f"{'in all':<24}{run.progress.seconds:>9.1f}{size_text(run.progress.peak):>14}")
    if any(stage.peak is None for stage in run.progress.stages):
        yield _line("", "this system tells the peak of the whole run only")
    yield _line("model", f"{run.artefact.directory}")
    yield _line("", f"version {run.artefact.version}, {size_text(size_of(run.artefact))}")
    if report:
        yield _line("report", f"{report / REPORT_NAME}")


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


def _reasons(dropped: Mapping[str, int], examples: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for reason, count in dropped.items():
        places = "; ".join(examples.get(reason, ()))
        yield _line("", f"{count:>9,}  {reason}" + (f" ({places})" if places else ""))
