"""Ask the server on this machine whether it is alive: python -m hakken.serving.healthcheck, for a container."""

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 4.0


def main() -> None:
    """Exit with 0 if it is, else with 1."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=SECONDS)
    try:
        connection.request("GET", os.environ.get("SCRIPT_NAME", "").strip().rstrip("/") + "/healthz")
        sys.exit(0 if connection.getresponse().status < 400 else 1)  # noqa: PLR2004  # where HTTP's errors begin
    except (OSError, HTTPException):
        sys.exit(1)


if __name__ == "__main__":
    main()
