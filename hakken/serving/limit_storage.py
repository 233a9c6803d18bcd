"""The storage of the rate limits."""

from typing import Any

from hakken.config import Settings, variable_names
from hakken.errors import ConfigError

TIMEOUT = 0.3
"""Seconds; visitors wait for the storage."""


def storage_options(url: str) -> dict[str, Any]:
    """Options for the storage at an address."""
    return {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT} if url.startswith("redis") else {}


def check_limit_storage(settings: Settings) -> None:
    """Raise ConfigError, before any worker starts, where the kind of storage is not supported; it may be down."""
    from limits.errors import ConfigurationError  # noqa: PLC0415  # only needed here
    from limits.storage import storage_from_string  # noqa: PLC0415  # only needed where limits are kept outside

    url = settings.limits_url
    if url.startswith("memory:"):  # opening it would start a thread
        return
    try:
        storage_from_string(url, **storage_options(url))
    except (ConfigurationError, ValueError) as error:
        raise ConfigError(
            f"The setting {variable_names()['limits_url']} can't be used: "
            f"{url.partition(':')[0]}:// is not supported, or what it needs is not installed."
        ) from error
