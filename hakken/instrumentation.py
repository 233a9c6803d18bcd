"""Instrumentation interface, independent of Prometheus."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

Stage = Literal["wait", "fetch", "recommend", "render"]
"""Parts of a response: waiting for a slot, fetching a list, ranking, rendering the page."""
Store = Literal["lists", "facts"]
"""Caches: of lists, of facts about titles."""


class Instrumentation:
    """Receives events, and ignores them unless a method is overridden.

    Its methods raise nothing, return at once, and may be called by several threads at once.
    """

    def stage(self, name: Stage) -> AbstractContextManager[None]:  # noqa: ARG002  # of no use where nothing is measured
        """Measure the time of a part of a response."""
        return nullcontext()

    def site_asked(self, site: str, outcome: str, seconds: float) -> None:
        """Record the outcome of a request to a site.

        Args:
            site: its name, as in `HAKKEN_SITE_RATES`.
            outcome: `ok`, `refused` for most of the 4xx, or the `public_name` of the error.
            seconds: its duration, including the wait for the rate limit.
        """

    def circuit_changed(self, site: str, *, is_open: bool) -> None:
        """Record whether the circuit breaker of a site is open."""

    def looked_up(self, store: Store, *, found: bool) -> None:
        """Record a cache hit or miss."""


NO_INSTRUMENTATION = Instrumentation()
