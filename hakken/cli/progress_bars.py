"""Progress of a long command on stderr: bars on a terminal, one line per stage elsewhere, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from hakken.cli.signals import StopFlag

if TYPE_CHECKING:  # importing hakken.training loads its compiler, which takes a second
    from hakken.training.progress import Advance, Progress

BYTES = "bytes"
"""The only unit that is shown in millions."""
MILLION = 1_000_000


def show_progress(stop: StopFlag, *, quiet: bool = False) -> "AbstractContextManager[Progress]":
    """Show progress while the block runs. Each report of progress checks `stop`."""
    console = Console(stderr=True)
    if quiet:
        return nullcontext(StoppableProgress(LineProgress(lambda _: None), stop))
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        return nullcontext(StoppableProgress(LineProgress(lambda line: click.echo(line, err=True)), stop))
    return bars(console, stop)


class StoppableProgress:
    """Forwards stages, and stops between and within them once a signal arrived.

    The signal's own exception is lost if it is raised in a callback from compiled code.
    """

    def __init__(self, shown: "Progress", stop: StopFlag) -> None:
        self._shown = shown
        self._stop = stop

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> "Iterator[Advance]":
        """Begin a stage."""
        self._stop.check()
        with self._shown.stage(name, total, unit) as advance:

            def advance_or_stop(units: int) -> None:
                self._stop.check()
                advance(units)

            yield advance_or_stop
        self._stop.check()


class LineProgress:
    """One line for each stage, when it begins."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def stage(self, name: str, total: int | None = None, unit: str = "") -> "AbstractContextManager[Advance]":  # noqa: ARG002  # no bar
        """Begin a stage."""
        self._say(name)  # without the total, which may be an estimate
        return nullcontext(lambda _: None)


class BarProgress:
    """A bar for each stage, with its rate and the time left."""

    def __init__(self, display: RichProgress) -> None:
        self._display = display

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> "Iterator[Advance]":
        """Begin a stage."""
        task = self._display.add_task(name, total=total, unit=unit)
        done = 0

        def advance(units: int) -> None:
            nonlocal done
            done += units
            self._display.advance(task, units)

        yield advance
        in_all = done or total or 1  # the total may be an estimate; a complete bar does not pulse
        self._display.update(task, total=in_all, completed=in_all, unit=unit if done or total else "")


@contextmanager
def bars(console: Console, stop: StopFlag) -> "Iterator[Progress]":
    """Show bars while the block runs."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        AmountAndRate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with RichProgress(*columns, console=console) as display:
        yield StoppableProgress(BarProgress(display), stop)


class AmountAndRate(ProgressColumn):
    """Amount done, total, and amount done per second, such as "1,024/12,294 anime    512 anime/s"."""

    def render(self, task: Task) -> Text:
        """Render it; empty for work that is not counted."""
        unit, speed = task.fields["unit"], task.speed
        if task.total is None or not unit:
            return Text()
        if task.finished_time and task.total:
            speed = task.total / task.finished_time
        rate = f"{_amount(speed, unit)}/s" if speed else ""
        return Text(f"{_number(task.completed, unit)}/{_amount(task.total, unit)} {rate:>14}", justify="right")


def _amount(number: float, unit: str) -> str:
    return f"{_number(number, unit)} {'MB' if unit == BYTES else unit}"


def _number(number: float, unit: str) -> str:
    return f"{number / MILLION:,.1f}" if unit == BYTES else f"{number:,.0f}"
