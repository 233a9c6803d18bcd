"""How gunicorn serves Hakken; it reads this file by itself. PORT and WEB_CONCURRENCY are gunicorn's own settings."""

import gc
import os
import sys
from typing import Any

from hakken.config import Settings
from hakken.details import site_named
from hakken.errors import ConfigError
from hakken.serving import logs, tallies
from hakken.serving.checks import check_limits
from hakken.serving.worker import Worker
from hakken.sources import mal_source_names

THREADS = "HAKKEN_THREADS"

worker_class = Worker
_threads = os.environ.get(THREADS, "").strip()
threads = int(_threads) if _threads.isdecimal() and int(_threads) else Settings().threads
logconfig_dict = logs.configuration(
    os.environ.get("HAKKEN_LOG_LINES", "").strip(), os.environ.get("HAKKEN_LOG_LEVEL", "").strip()
)
limit_request_line = 8190  # an address may hold 200 picks, 100 titles to leave out, and all other choices
control_socket_disable = True  # it would write to a home that a server may not have
access_log_format = '%(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # no query string, for it holds the username


def on_starting(server: Any) -> None:  # noqa: ANN401  # gunicorn's signature
    """Refuse a wrong setting at once and in a sentence, before any worker is started."""
    try:
        settings = Settings.from_environ(os.environ)
        mal_source_names(settings)
        if settings.facts_from:
            site_named(settings.facts_from, settings)
        check_limits(settings)
    except ConfigError as error:
        sys.exit(f"hakken: {error}")
    Worker.waiting, Worker.seconds = settings.waiting, settings.request_deadline
    try:
        tallies.make_directory()
    except OSError as error:
        server.log.warning("There is no place to count in (%s): each worker counts for itself.", error.strerror)


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Keep the garbage collector from what is here already: what it touches is shared with workers no more."""
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Tell the application how many threads there really are, for gunicorn's own options go before ours."""
    os.environ[THREADS] = str(max(worker.cfg.threads, 2))


def child_exit(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Keep what an ended worker has counted."""
    tallies.bury(worker.pid)


def on_exit(server: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Leave nothing behind."""
    tallies.remove_directory()
