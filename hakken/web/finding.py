"""The titles of the current catalogue, ready to be searched."""

from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.knowledge import Knowledge
from hakken.search import Titles


@cached(WeakKeyDictionary(), key=lambda knowledge: knowledge)
def titles_of(knowledge: Knowledge) -> Titles:
    """Make what searches are answered from; it takes a part of a second, once, and goes when the model goes."""
    return Titles(knowledge.catalogue)
