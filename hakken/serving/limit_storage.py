"""The storage of the rate limits."""

from typing import Any

from hakken.config import Settings, variable_names
from hakken.errors import ConfigError

STORAGE_OPTIONS: dict[str, dict[str, Any]] = {
    scheme: {"socket_connect_timeout": 0.3, "socket_timeout": 0.3} for scheme in ("redis", "rediss", "redis+unix")
}
"""Options by the scheme of the storage's address; short timeouts, since visitors wait for it."""


def check_limit_storage(settings: Settings) -> None:
    """Check, before any worker starts, that the kind of storage is supported; it may be down.

    Raises:
        ConfigError: it isn't.
    """
    from limits.errors import ConfigurationError  # noqa: PLC0415  # only needed here
    from limits.storage import storage_from_string  # noqa: PLC0415  # the same

    scheme = settings.limits_url.partition(":")[0]
    if scheme == "memory":  # opening it would start a thread
        return
    try:
        storage_from_string(settings.limits_url, **STORAGE_OPTIONS.get(scheme, {}))
    except (ConfigurationError, ValueError) as error:
        raise ConfigError(
            f"The setting {variable_names()['limits_url']} can't be used: nothing is known of {scheme}://, "
            "or what it needs is not installed."
        ) from error
