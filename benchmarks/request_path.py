"""Which of our files run for one list of recommendations by username, from the route to the page.

python -m benchmarks.request_path
"""

import sys
import threading
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

from ars_app import create_app
from tests.standin.server import Standin
from tests.standin.users import USERS

ROOT = Path(__file__).parent.parent


def files_of(address: str, standin: Standin) -> list[str]:
    """Files of `hakken/` and of the root of which a function runs, in any thread, while an address is answered."""
    client = create_app(standin.settings(facts_source="off")).test_client()
    ran: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401  # as sys.setprofile has it
        if event == "call":
            ran.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        answer = client.get(address)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"{address} is answered by {answer.status}.")
    paths = (Path(name) for name in ran if name.endswith(".py"))
    found = (path.relative_to(ROOT) for path in paths if path.is_relative_to(ROOT))
    return sorted(str(path) for path in found if path.parts[0] == "hakken" or len(path.parts) == 1)


def main() -> None:
    """Ask for a list of the sites' stand-in, and print the files and their number."""
    standin = Standin()
    standin.start()
    try:
        files = files_of(f"/recommendations?username={next(iter(USERS))}&source=mal", standin)
    finally:
        standin.stop()
    print(*files, f"{len(files)} files", sep="\n")


if __name__ == "__main__":
    main()
