"""The titles of the current catalogue, ready to be searched, and what is said where none is found."""

from weakref import WeakKeyDictionary

from cachetools import cached

from hakken.bundle import ModelBundle
from hakken.data_time import in_words
from hakken.search import Titles
from hakken.serving.memory import give_back


@cached(WeakKeyDictionary(), key=lambda bundle: bundle)
def titles_of(bundle: ModelBundle) -> Titles:
    """Make what searches are answered from; it takes most of a second, once, and goes when the model goes."""
    titles = Titles(bundle.catalogue)
    give_back()  # it, and opening the model, take twice what they keep
    return titles


def not_known(bundle: ModelBundle) -> str:
    """What a title is that no search finds: ends a sentence that begins with what was searched for."""
    end = bundle.model.manifest.data_time
    return f"not known here; our titles end in {in_words(end)}" if end else "not known here"
