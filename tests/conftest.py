"""Fixtures that many tests share."""

pytest_plugins = ["tests.models", "tests.backstage", "tests.standin.fixtures"]
