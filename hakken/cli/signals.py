"""Ctrl-C and SIGTERM end a long command with one sentence, and nothing half-written."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)
BY_SIGNAL = 128
"""Added to the signal's number, this is a shell's exit status for a command that it ended: 130, 143."""


class StopSignal(BaseException):
    """A signal arrived. Not an `Exception`: no handler may treat it as a failure and continue."""


class StopFlag:
    """Whether a signal arrived, and the number of the first."""

    number: int | None = None

    def check(self) -> None:
        """Raise `StopSignal` if a signal arrived."""
        if self.number is not None:
            raise StopSignal


@contextmanager
def stop_on_signal(sentence: Callable[[], str]) -> Iterator[StopFlag]:
    """Let a signal end the block as an error would, so that everything is cleaned up, and then end the command.

    Args:
        sentence: called after the block; returns the sentence to print.
    """
    stop = StopFlag()

    def record(number: int, _: object) -> None:
        if stop.number is None:  # a second Ctrl-C must not interrupt the cleanup
            stop.number = number
            raise StopSignal

    # Only the main thread can handle signals, and a signal that our parent ignores stays ignored.
    ours = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before = {one: signal.signal(one, record) for one in ours if signal.getsignal(one) is not signal.SIG_IGN}
    try:
        yield stop
    except StopSignal:
        click.echo(sentence(), err=True)
        raise SystemExit(BY_SIGNAL + (stop.number or 0)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
