"""The app in front of the stand-in, so that all that a visitor can do works with no network: python -m tests.standin.

The rest of the command line goes to gunicorn. The stand-in's own address, which is printed, has a page with the users
that can be tried, and switches that let a site fail.
"""

import os
import signal
import subprocess
import sys
from html import escape

import click
import msgspec
from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue

from hakken.config import Settings, variable_names
from tests.standin.app import APP
from tests.standin.faults import Faults
from tests.standin.server import Standin
from tests.standin.sites import ALL
from tests.standin.users import USERS

SERVING = [sys.executable, "-m", "hakken.serving"]
SITES = [site.name for site in ALL]


def main() -> None:
    """Serve both until the app ends."""
    standin = Standin(switches)
    standin.start()
    click.echo(f"The sites' stand-in, with users to try and switches: {standin.url}/", err=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    app = subprocess.Popen([*SERVING, *sys.argv[1:], APP], env=os.environ | environment(standin))
    try:
        app.wait()
    except (KeyboardInterrupt, SystemExit):
        app.terminate()
        app.wait()
    finally:
        standin.stop()


def environment(standin: Standin, **changes: object) -> dict[str, str]:
    """Variables that make an app take the stand-in for all its sites, whatever is set otherwise."""
    given = {"list_sources": "mal,jikan,load_json", "picture_origins": standin.url, "site_rates": "facts=600/m"}
    settings = standin.settings(**(given | changes))
    chosen = msgspec.structs.asdict(settings)
    usual = msgspec.structs.asdict(Settings())
    return {
        variable: str(chosen[field]) for field, variable in variable_names().items() if chosen[field] != usual[field]
    }


def switches(app: Flask, standin: Standin) -> None:
    """Add the page with the switches."""

    @app.get("/")
    def page() -> str:
        """List users and faults."""
        users = "".join(f"<li>{escape(user)} ({len(entries)})" for user, entries in USERS.items())
        options = "".join(f"<option>{fault.name}" for fault in Faults)
        forms = "".join(
            f'<form method="post"><b>{site}</b> <input type="hidden" name="site" value="{site}"> '
            f'<select name="fault"><option value="">works{options}</select> <button>Switch</button></form>'
            for site in SITES
        )
        return f"<!doctype html><title>Stand-in</title><h1>Users</h1><ul>{users}</ul><h1>Faults</h1>{forms}"

    @app.post("/")
    def switch() -> ResponseReturnValue:
        """Let a site fail, or work again."""
        site, fault = request.form["site"], request.form["fault"]
        if fault:
            standin.fail(site, Faults[fault])
        else:
            standin.mend(site)
        return redirect("/", 303)


if __name__ == "__main__":
    main()
