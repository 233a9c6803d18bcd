"""The application with a clock that jumps: it is as many seconds off as a file says that is looked at all the time.

libfaketime can't do it: from Python 3.11 on it makes every `time.sleep` fail.
"""

import os
import threading
import time
from pathlib import Path

import time_machine
from flask import Flask

from ars_app import create_app

RULE = "CLOCK_RULE"
"""The variable that names the file."""


def create_jumping_app() -> Flask:
    """The real application; the clock that never runs backwards stays as it is, as when a machine's own is set."""
    threading.Thread(target=_jump, args=(Path(os.environ[RULE]),), daemon=True).start()
    app = create_app()
    app.add_url_rule("/clock", "clock", lambda: time.strftime("%Y-%m-%d", time.gmtime()))
    return app


def _jump(rule: Path) -> None:
    now = 0.0
    travelling: time_machine.travel | None = None
    while True:
        time.sleep(0.05)
        wanted = float(rule.read_text() or now)
        if wanted == now:
            continue
        if travelling is not None:
            travelling.stop()
        travelling = time_machine.travel(time.time() + wanted, tick=True)
        travelling.start()
        now = wanted
