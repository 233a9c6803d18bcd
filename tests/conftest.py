"""Fixtures that many tests share."""

import os
import tempfile

# A test's own storage client would leave a thread behind that goes on trying, and shuffles Python's random numbers.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

# What an app of a test keeps is the test run's, not the user's who runs it; processes that it starts inherit it.
_CACHE = tempfile.TemporaryDirectory(prefix="hakken-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name

pytest_plugins = ["tests.models", "tests.backstage", "tests.standin.fixtures"]
