"""What can be known to be wrong before any worker is started."""

from typing import Any

from hakken.config import Settings, variable_names
from hakken.errors import ConfigError

STORAGE_OPTIONS: dict[str, dict[str, Any]] = {
    scheme: {"socket_connect_timeout": 0.3, "socket_timeout": 0.3} for scheme in ("redis", "rediss", "redis+unix")
}
"""By the scheme of its address, what a storage of limits is opened with: a visitor waits for it."""


def check_limits(settings: Settings) -> None:
    """Make sure that the storage of limits is one that we know how to speak to; it may be down.

    Raises:
        ConfigError: it isn't.
    """
    from limits.errors import ConfigurationError  # noqa: PLC0415  # only who limits anything needs it
    from limits.storage import storage_from_string  # noqa: PLC0415  # the same

    scheme = settings.limits_url.partition(":")[0]
    if scheme == "memory":  # which would begin a thread
        return
    try:
        storage_from_string(settings.limits_url, **STORAGE_OPTIONS.get(scheme, {}))
    except (ConfigurationError, ValueError) as error:
        raise ConfigError(
            f"The setting {variable_names()['limits_url']} can't be used: nothing is known of {scheme}://, "
            "or what it needs is not installed."
        ) from error
