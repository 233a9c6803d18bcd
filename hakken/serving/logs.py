"""Logging of gunicorn, Hakken and the libraries: one line per event on stderr, none of which identifies a visitor.

A line is JSON, or readable text where stderr is a terminal. Of an error only its type and its location are logged: its
message may quote what a visitor typed.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
from gunicorn.glogging import Logger, SafeAtoms
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

FIELDS = ("route", "method", "status", "ms")
"""Fields of a request that a line may hold beside its event."""
_INVALID = "Invalid request"
"""The beginning of gunicorn's messages that go on with an address and a quotation."""
_ROOT = Path(__file__).parent.parent.parent
_MAX_CAUSES = 5
_MAX_FRAMES = 12
"""Of one error, the innermost."""
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, line ends, marks that change the direction of text or can't be seen, and lone surrogates: they
would make a line look like another, or command the terminal that shows it."""
_ENCODER = msgspec.json.Encoder(enc_hook=str)


def escaped(text: str) -> str:
    """Replace each unsafe character by its number, as JSON and Python write it."""
    return _UNSAFE.sub(lambda unsafe: f"\\u{ord(unsafe[0]):04x}", text)


class RedactVisitors(logging.Filter):
    """Removes visitors' addresses and queries, which may hold a name, from messages: gunicorn quotes both."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut messages before a visitor's address or a quotation, and addresses of pages before their query."""
        text = record.getMessage()
        if text.startswith(_INVALID):
            text = _INVALID
        if "?" in text:
            text = re.sub(r"\?\S*", "?…", text)
        record.msg, record.args = text, None
        return True


class EscapedAtoms(SafeAtoms):  # type: ignore[misc]  # gunicorn ships no types
    """What a line of the access log may hold; gunicorn escapes quotation marks alone."""

    def __init__(self, atoms: Mapping[str, object]) -> None:
        super().__init__({name: escaped(one) if isinstance(one, str) else one for name, one in atoms.items()})


class QuietAccessLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's logger without its line for each request unless an access log is configured: Hakken writes its own."""

    atoms_wrapper_class = EscapedAtoms

    def access(self, *answered: Any) -> None:  # noqa: ANN401  # gunicorn's own
        """Log a request if an access log is configured."""
        if self.cfg.accesslog:
            super().access(*answered)


def configuration(form: str = "auto", level: str = "info") -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`, and for gunicorn's `logconfig_dict`.

    The form of lines is `json` or `text`; with anything else, a terminal decides. The level of Hakken's loggers is
    `warning` or `info`, as which anything else counts.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"redact": {"()": RedactVisitors}},
        "formatters": {"lines": {"()": formatter, "form": form}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["redact"]}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "hakken": {"level": "WARNING" if level == "warning" else "INFO"},
            "gunicorn.error": {"propagate": True, "handlers": []},
        },
    }


def formatter(form: str = "auto") -> logging.Formatter:
    """The formatter of lines, see `configuration`."""
    readable = form == "text" or (form != "json" and sys.stderr.isatty())
    last: Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if readable else _as_json
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_messages, _escaped, last],
    )


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _ENCODER.encode(event).decode()


def _escaped(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape what comes from outside, in JSON too: whoever decodes it may show it in a terminal."""
    return {name: escaped(one) if isinstance(one, str) else one for name, one in event.items()}


def _without_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an error by its type, its location and its causes."""
    info: ExcInfo | tuple[None, None, None] | bool | None = event.pop("exc_info", None)
    event.pop("stack", None)
    error = info[1] if isinstance(info, tuple) else None
    chain: list[str] = []
    while error is not None and len(chain) < _MAX_CAUSES:
        frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
        places = ", ".join(f"{_short(Path(one.filename))}:{one.lineno} {one.name}" for one in reversed(frames))
        chain.append(f"{type(error).__name__} at {places}" if places else type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        event["error"] = " < ".join(chain)
    return event


def _short(file: Path) -> str:
    """A file's path without the directory of the installation."""
    if "site-packages" in file.parts:
        return "/".join(file.parts[file.parts.index("site-packages") + 1 :])
    return str(file.relative_to(_ROOT)) if file.is_relative_to(_ROOT) else file.name
