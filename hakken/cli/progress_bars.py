"""How a long command shows where it is, on stderr: bars at a terminal, one line a stage elsewhere, or nothing."""

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

if TYPE_CHECKING:  # training loads its compiler, which takes a second: this module is at hand without it
    from hakken.training.progress import Advance, Progress

BYTES = "bytes"
"""The one unit that is shown in millions."""
MILLION = 1_000_000


def show_progress(stop: StopFlag, *, quiet: bool = False) -> "AbstractContextManager[Progress]":
    """Choose how progress is shown, for as long as the block runs.

    Args:
        stop: looked at wherever progress is made.
        quiet: show nothing.
    """
    console = Console(stderr=True)
    if quiet:
        return nullcontext(StoppableProgress(LineProgress(lambda _: None), stop))
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        return nullcontext(StoppableProgress(LineProgress(lambda line: click.echo(line, err=True)), stop))
    return bars(console, stop)


class StoppableProgress:
    """Passes stages on, and stops between them and within them once a signal came.

    The signal's own exception is lost where it happens to be raised in a callback from compiled code.
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
    """One plain line for each stage, when it begins."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def stage(self, name: str, total: int | None = None, unit: str = "") -> "AbstractContextManager[Advance]":  # noqa: ARG002  # no bar
        """Begin a stage."""
        self._say(name)  # a total may be reckoned: what there really was stands in the summary
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
        in_all = done or total or 1  # a total may only be reckoned; and a full bar stands still
        self._display.update(task, total=in_all, completed=in_all, unit=unit if done or total else "")


@contextmanager
def bars(console: Console, stop: StopFlag) -> "Iterator[Progress]":
    """Show bars for as long as the block runs."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        Amount(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with RichProgress(*columns, console=console) as display:
        yield StoppableProgress(BarProgress(display), stop)


class Amount(ProgressColumn):
    """How much is done, and of how much."""

    def render(self, task: Task) -> Text:
        """Such as "1,024/12,294 anime"; nothing for work that isn't counted."""
        unit = task.fields["unit"]
        if task.total is None or not unit:
            return Text()
        return Text(f"{_number(task.completed, unit)}/{_amount(task.total, unit)}", justify="right")


class Rate(ProgressColumn):
    """How much is done in a second."""

    def render(self, task: Task) -> Text:
        """Such as "1,024 anime/s"; nothing for work that isn't counted."""
        unit, speed = task.fields["unit"], task.speed
        if task.finished_time and task.total:
            speed = task.total / task.finished_time
        return Text(f"{_amount(speed, unit)}/s" if unit and speed else "", justify="right")


def _amount(number: float, unit: str) -> str:
    return f"{_number(number, unit)} {'MB' if unit == BYTES else unit}".rstrip()


def _number(number: float, unit: str) -> str:
    return f"{number / MILLION:,.1f}" if unit == BYTES else f"{number:,.0f}"
