"""Fixtures that many tests share."""

import os

# A test's own storage client would leave a thread behind that goes on trying, and shuffles Python's random numbers.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

pytest_plugins = ["tests.models", "tests.backstage", "tests.standin.fixtures"]
