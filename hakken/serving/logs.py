"""What is logged, by gunicorn, by Hakken and by the libraries: one line each on stderr, of which none names anyone.

A line is JSON, or made for reading where stderr is a terminal. Of an error nothing is told but its kind and where it
happened: its own words may quote what a visitor typed.
"""

import logging
import re
import sys
import traceback
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog
from gunicorn.glogging import Logger
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

Form = Literal["auto", "json", "text"]

FIELDS = ("route", "method", "status", "ms")
"""What a line may hold beside its event: those of a request."""

_INVALID = "Invalid request"
"""How gunicorn begins when it goes on with an address, and with a quotation."""
_ROOT = Path(__file__).parent.parent.parent
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class Discreet(logging.Filter):
    """Keeps from the log who visits, and what they ask for, which may hold a name: gunicorn quotes both."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut a message off where a visitor's address or a quotation begins, and addresses of pages at their query."""
        text = record.getMessage()
        if text.startswith(_INVALID):
            text = _INVALID
        if "?" in text:
            text = re.sub(r"\?\S*", "?…", text)
        record.msg, record.args = text, None
        return True


class Brief(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's own, which makes a line for each request even where nobody wants it: Hakken has its own of each."""

    def access(self, *answered: Any) -> None:  # noqa: ANN401  # gunicorn's own
        """Tell of a request, if gunicorn was told to where."""
        if self.cfg.accesslog:
            super().access(*answered)


def configuration(form: str = "auto", level: str = "info") -> dict[str, Any]:
    """Describe it as `logging.config.dictConfig` takes it, and as gunicorn does in `logconfig_dict`.

    Args:
        form: of the lines, one of `Form`; anything else counts as `auto`.
        level: of Hakken's own, `warning` or `info`; anything else counts as `info`.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"discreet": {"()": Discreet}},
        "formatters": {"lines": {"()": formatter, "form": form}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["discreet"]}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "hakken": {"level": "WARNING" if level == "warning" else "INFO"},
            "gunicorn.error": {"propagate": True, "handlers": []},
        },
    }


def formatter(form: str = "auto") -> logging.Formatter:
    """Make what writes the lines, in one `Form`."""
    readable = form == "text" or (form != "json" and sys.stderr.isatty())
    last: Processor = structlog.dev.ConsoleRenderer() if readable else _as_json
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_words, last],
    )


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _ENCODER.encode(event).decode()


def _without_words(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put in the place of an error its kind, where it happened, and what it came of."""
    info: ExcInfo | tuple[None, None, None] | bool | None = event.pop("exc_info", None)
    event.pop("stack", None)
    error = info[1] if isinstance(info, tuple) else None
    told: list[str] = []
    while error is not None and len(told) < _MOST:
        told.append(_told(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if told:
        event["error"] = " < ".join(told)
    return event


_MOST = 5
"""Errors that came of each other, of which is told."""
_DEEPEST = 12
"""Places of one error that are told: the innermost."""


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
    places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {', '.join(places)}" if places else type(error).__name__


def _short(file: str) -> str:
    """A file's name without where the program is installed."""
    path = Path(file)
    inside = path.parts[path.parts.index("site-packages") + 1 :] if "site-packages" in path.parts else ()
    if inside:
        return "/".join(inside)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
