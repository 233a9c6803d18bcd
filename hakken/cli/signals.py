"""How a long command is stopped: by Ctrl-C or SIGTERM, with one sentence and nothing half-written."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)
BY_SIGNAL = 128
"""A shell's exit status for a command that a signal ended is this and the signal's number: 130, 143."""


class StopSignal(BaseException):
    """A signal came. No `Exception`: nothing on its way may take it for a failure and go on."""


class StopFlag:
    """Whether a signal came.

    Attributes:
        number: of the first signal that came.
    """

    number: int | None = None

    def check(self) -> None:
        """Go no further if a signal came."""
        if self.number is not None:
            raise StopSignal


@contextmanager
def stop_on_signal(sentence: Callable[[], str]) -> Iterator[StopFlag]:
    """Let a signal end the block as an error would, so that everything is cleaned up, and then the command.

    Args:
        sentence: asked what to say, after the block.
    """
    stop = StopFlag()

    def note(number: int, _: object) -> None:
        if stop.number is None:  # an impatient second Ctrl-C must not break the cleaning up
            stop.number = number
            raise StopSignal

    before = {number: signal.signal(number, note) for number in SIGNALS if _is_heard(number)}
    try:
        yield stop
    except StopSignal:
        click.echo(sentence(), err=True)
        raise SystemExit(BY_SIGNAL + (stop.number or 0)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_heard(number: signal.Signals) -> bool:
    """Only the main thread may listen; and who started us with a signal ignored wants it ignored."""
    return threading.current_thread() is threading.main_thread() and signal.getsignal(number) is not signal.SIG_IGN
