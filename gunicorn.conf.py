"""How gunicorn serves Hakken; it reads this file by itself. PORT and WEB_CONCURRENCY are gunicorn's own settings."""

import logging
import os
import re
import sys
from typing import Any

from hakken.config import Settings
from hakken.details import site_named
from hakken.errors import ConfigError
from hakken.sources import mal_source_names

THREADS = "HAKKEN_THREADS"

worker_class = "gthread"
_threads = os.environ.get(THREADS, "").strip()
threads = int(_threads) if _threads.isdecimal() and int(_threads) else Settings().threads
limit_request_line = 8190  # an address may hold 200 picks, 100 titles to leave out, and all other choices
control_socket_disable = True  # it would write to a home that a server may not have
access_log_format = '%(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # no query string, for it holds the username


class Discreet(logging.Filter):
    """Keeps from the log what visitors ask for, which may hold a name: gunicorn quotes what it can't make out."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut a message off where the quotation begins, and addresses at their query."""
        text = re.sub(r"(Invalid request from ip=\S*).*", r"\1", record.getMessage(), flags=re.DOTALL)
        record.msg, record.args = re.sub(r"\?\S*", "?…", text), None
        return True


def on_starting(server: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Refuse a wrong setting at once and in a sentence, before any worker is started."""
    try:
        settings = Settings.from_environ(os.environ)
        mal_source_names(settings)
        if settings.facts_from:
            site_named(settings.facts_from, settings)
    except ConfigError as error:
        sys.exit(f"hakken: {error}")


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Tell the application how many threads there really are, for gunicorn's own options go before ours."""
    logging.getLogger("gunicorn.error").addFilter(Discreet())
    os.environ[THREADS] = str(max(worker.cfg.threads, 2))
