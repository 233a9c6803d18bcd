"""Progress of a long command on stderr: bars on a terminal, one line per stage elsewhere, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import click
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from hakken.cli.signals import StopFlag

BYTES = "bytes"
"""The only unit that is shown in millions."""
MILLION = 1_000_000
HOUR = 3_600


@contextmanager
def show_progress(stop: StopFlag, *, quiet: bool = False) -> Iterator["ShownProgress"]:
    """Show progress while the block runs. Each report of progress checks `stop`."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        AmountAndRate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    display = RichProgress(*columns, console=console)
    has_bars = not quiet and sys.stderr.isatty() and not console.is_dumb_terminal
    with display if has_bars else nullcontext():
        yield ShownProgress(stop, display, has_lines=not quiet and not has_bars)


class ShownProgress:
    """A line for each stage when it begins, or a bar with its rate and the time left.

    It stops between and within stages once a signal arrived: the signal's own exception is lost if it is raised in a
    callback from compiled code.
    """

    def __init__(self, stop: StopFlag, display: RichProgress, *, has_lines: bool) -> None:
        self._stop, self._display, self._has_lines = stop, display, has_lines

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """Begin a stage; see `hakken.training.progress.Progress`."""
        self._stop.check()
        if self._has_lines:
            click.echo(name, err=True)  # without the total, which may be an estimate
        task = self._display.add_task(name, total=total, unit=unit)

        def advance(units: int) -> None:
            self._stop.check()
            self._display.advance(task, units)

        yield advance
        done = self._display.tasks[-1].completed
        in_all = done or total or 1  # the total may be an estimate; a complete bar does not pulse
        self._display.update(task, total=in_all, completed=in_all, unit=unit if done or total else "")
        self._stop.check()


class AmountAndRate(ProgressColumn):
    """Amount done, total, and amount done per second, such as "1,024/12,294 anime    512 anime/s"."""

    def render(self, task: Task) -> Text:
        """Render it; empty for work that is not counted."""
        unit, speed = task.fields["unit"], task.speed
        if task.total is None or not unit:
            return Text()
        if task.finished_time and task.total:
            speed = task.total / task.finished_time
        rate = ""
        if speed:
            rate = f"{_amount(speed, unit)}/s" if speed >= 1 else f"{_amount(HOUR * speed, unit)}/h"
        return Text(f"{_number(task.completed, unit)}/{_amount(task.total, unit)} {rate:>14}", justify="right")


def _amount(number: float, unit: str) -> str:
    return f"{_number(number, unit)} {'MB' if unit == BYTES else unit}"


def _number(number: float, unit: str) -> str:
    return f"{number / MILLION:,.1f}" if unit == BYTES else f"{number:,.0f}"
