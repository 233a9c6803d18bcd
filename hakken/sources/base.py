"""What a source of lists is."""

from typing import Protocol

from hakken.ratings import UserList


class Source(Protocol):
    """A place that knows the lists of a site's users."""

    @property
    def name(self) -> str:
        """The source's name, as settings and messages have it."""

    def fetch(self, username: str) -> UserList:
        """Fetch someone's whole list.

        Raises:
            BadUsername: the site can't have such a user.
            SourceError: the list could not be had; see `hakken.errors` for the kinds.
        """
