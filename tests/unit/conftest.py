"""What unit tests share: the stored model and the embedded one."""

from tests.models import bundle, embedded, trained

__all__ = ["bundle", "embedded", "trained"]
