"""Whom those parts tell what happened that know nothing of metrics: who asks sites, who keeps things, who computes."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Stage = Literal["wait", "fetch", "recommend", "render"]
"""What the time of an answer goes to: waiting for a place, fetching a list, ranking, writing the page."""
Store = Literal["lists", "facts"]
"""Where something may be found that was had before."""


class Instrumentation(Protocol):
    """Hears what happened. It raises nothing, is quick, and may be told by several threads at once."""

    def stage(self, name: Stage) -> AbstractContextManager[None]:
        """Take the time of a part of an answer."""

    def site_asked(self, site: str, outcome: str, seconds: float) -> None:
        """Hear how asking a site ended.

        Args:
            site: its name, as rates have it.
            outcome: `ok`, `refused` for most of the 4xx, or the kind of `SiteError`.
            seconds: that it took, the wait for our turn included.
        """

    def circuit_changed(self, site: str, *, resting: bool) -> None:
        """Hear whether a site is left alone, since it failed."""

    def looked_up(self, store: Store, *, found: bool) -> None:
        """Hear whether something was there already."""


class NoInstrumentation:
    """Hears nothing."""

    def stage(self, name: Stage) -> AbstractContextManager[None]:  # noqa: ARG002  # as the protocol has it
        """Take no time."""
        return nullcontext()

    def site_asked(self, site: str, outcome: str, seconds: float) -> None:
        """Forget it."""

    def circuit_changed(self, site: str, *, resting: bool) -> None:
        """Forget it."""

    def looked_up(self, store: Store, *, found: bool) -> None:
        """Forget it."""


NO_INSTRUMENTATION = NoInstrumentation()
