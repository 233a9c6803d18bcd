"""Serve the app: python -m hakken.serving. Options are gunicorn's, and gunicorn.conf.py has those that count.

It is gunicorn's own command, but two variables that gunicorn reads on import are checked first, so that an error is
one sentence.
"""

import os
import shlex
import sys

from hakken.files import shipped

APPLICATION = "ars_app:create_app()"
ARGUMENTS = "GUNICORN_CMD_ARGS"
"""Gunicorn's variable for arguments; those of the command line, and later ones, go before."""


def main() -> None:
    """Check the variables, and run gunicorn."""
    for name, least, most in (("WEB_CONCURRENCY", 1, 512), ("PORT", 1, 65535)):
        text = os.environ.get(name, "").strip()
        if text and not (text.isdecimal() and least <= int(text) <= most):
            sys.exit(f"hakken: The setting {name} can't be used: {text!r} is not a number from {least} to {most}.")
        if not text:
            os.environ.pop(name, None)  # empty counts as not set
    # By itself gunicorn reads only a configuration in the working directory.
    os.environ[ARGUMENTS] = f"--config {shlex.quote(str(shipped('gunicorn.conf.py')))} {os.environ.get(ARGUMENTS, '')}"
    if not any(":" in one and one.endswith(")") for one in sys.argv[1:]):
        sys.argv.append(APPLICATION)
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415  # importing it reads the variables

    run(prog="gunicorn")


if __name__ == "__main__":
    main()
