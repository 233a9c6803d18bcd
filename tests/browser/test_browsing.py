"""A machine without Chromium: nobody must take the pages for tried."""

import os
import re
import subprocess
import sys

import pytest

from tests.serving import ROOT

ONE = "tests/browser/test_browser.py::test_one_click_on_the_sample_gives_a_list"


@pytest.mark.parametrize("required", [False, True])
def test_without_chromium_the_summary_says_so_in_a_line_of_its_own_or_it_is_a_failure(required: bool) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "REQUIRE_BROWSER"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ONE],
        cwd=ROOT,
        env=clean | {"PATH": "/nowhere"} | ({"REQUIRE_BROWSER": "1"} if required else {}),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if required:
        assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
        assert "chromium is not installed" in run.stdout
        assert re.search(r"\bREQUIRE_BROWSER=1 .*\bmake test", (ROOT / ".ci" / "run").read_text())
    else:
        assert run.returncode == pytest.ExitCode.OK, run.stdout
        [warning] = re.findall(r"^!+ WARNING: (.*?) !+$", run.stdout, re.MULTILINE)
        assert warning == "chromium is not installed, so no page was tried in a browser; tests left out: 1"
