"""What holds for every test: nothing outside this machine is asked, and nothing of the user's is changed."""

import os
import tempfile
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache

NO_BROWSER = "chromium is not installed, so no page was tried in a browser"

# A test's own storage client would leave a thread behind that goes on trying, and shuffles Python's random numbers.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

# What an app of a test keeps is the test run's, not the user's who runs it; processes that it starts inherit it.
_CACHE = tempfile.TemporaryDirectory(prefix="hakken-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name

# Hundreds of apps have the same templates: compiling them for each took half of the time of tests of pages.
_TEMPLATES = Path(_CACHE.name, "templates")
_TEMPLATES.mkdir()
Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(_TEMPLATES))}

# No test asks a live site, not even in the background: what is not on this machine is behind a proxy that is not there.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name.upper(), None)
    os.environ[_name] = "http://127.0.0.1:9"
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"

# How fast a machine is, is no test's business.
settings.register_profile("hakken", settings(), deadline=None)
settings.load_profile("hakken")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(one.longrepr)]
    if skipped:
        terminalreporter.write_sep(
            "!", f"WARNING: {NO_BROWSER}; tests left out: {len(skipped)}", yellow=True, bold=True
        )
