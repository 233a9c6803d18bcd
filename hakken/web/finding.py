"""The titles of the current catalogue, ready to be searched."""

from functools import lru_cache

from hakken.knowledge import Knowledge
from hakken.search import Titles


@lru_cache(maxsize=1)
def titles_of(knowledge: Knowledge) -> Titles:
    """Make what searches are answered from; it takes a part of a second, once."""
    return Titles(knowledge.catalogue)
