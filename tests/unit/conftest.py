"""What unit tests share: the stored model and the embedded one."""

from tests.models import embedded, knowledge, trained

__all__ = ["embedded", "knowledge", "trained"]
