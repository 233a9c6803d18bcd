"""Descriptions of fields, which the API's document shows."""

from msgspec import Meta


def about(description: str) -> Meta:
    """What `Annotated` says of a field."""
    return Meta(description=description)
