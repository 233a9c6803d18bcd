"""The titles of the current catalogue, ready to be searched, and what is said where none is found."""

from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.data_time import in_words
from hakken.knowledge import Knowledge
from hakken.search import Titles
from hakken.serving.memory import give_back


@cached(WeakKeyDictionary(), key=lambda knowledge: knowledge)
def titles_of(knowledge: Knowledge) -> Titles:
    """Make what searches are answered from; it takes most of a second, once, and goes when the model goes."""
    titles = Titles(knowledge.catalogue)
    give_back()  # it, and opening the model, take twice what they keep
    return titles


def not_known(knowledge: Knowledge) -> str:
    """What a title is that no search finds: ends a sentence that begins with what was searched for."""
    end = knowledge.model.manifest.data_time
    return f"not known here; our titles end in {in_words(end)}" if end else "not known here"
