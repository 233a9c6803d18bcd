"""Descriptions of fields, which the document of the API and the options of commands show."""

from typing import Any

from msgspec import Meta


def about(description: str, **limits: Any) -> Meta:  # noqa: ANN401  # as `msgspec.Meta` takes them: numbers, a pattern
    """What `Annotated` says of a field: its description, and the limits of its values."""
    return Meta(description=description, **limits)
