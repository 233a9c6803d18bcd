"""How gunicorn serves Hakken; it reads this file by itself. PORT and WEB_CONCURRENCY are gunicorn's own settings."""

import os
import sys
from typing import Any

from hakken.config import Settings
from hakken.errors import ConfigError
from hakken.sources import Sources

worker_class = "gthread"
threads = 8
limit_request_line = 8190  # an address may hold 200 picks, 100 titles to leave out, and all other choices
control_socket_disable = True  # it would write to a home that a server may not have


def on_starting(server: Any) -> None:  # noqa: ANN401, ARG001  # gunicorn's signature
    """Refuse a wrong setting at once and in a sentence, before any worker is started."""
    try:
        Sources.from_settings(Settings.from_environ(os.environ))
    except ConfigError as error:
        sys.exit(f"hakken: {error}")
