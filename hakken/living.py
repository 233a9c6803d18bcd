"""The model that is served now: opened at start, replaced while requests are answered.

A thread of each worker looks from time to time whether the machine's mirror has, or can be brought, another version.
It opens that one, makes ready what its first request would wait for, and puts it in the old one's place with one
assignment. Whoever asked before goes on with the old one, which is gone when the last of them lets go of it.
"""

import gc
import logging
import os
import random
import re
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from hakken.bundle import ModelBundle
from hakken.errors import ArtefactRefused, ModelError, ModelPending
from hakken.model.mirror import Mirror
from hakken.model.pointer import Named

JITTER = 0.25
"""Workers, and machines, that started together don't keep on asking together."""

PATIENCE = 10.0
"""Seconds to wait for a first model. gunicorn gives a worker thirty to start, and then begins again with another."""

CHANCE = re.compile(r"\b(0x[0-9a-f]+|\d+)\b", re.IGNORECASE)
"""What differs between two sentences about the same failure: addresses of objects, bytes that are free, ports."""

log = logging.getLogger("hakken")


class News(NamedTuple):
    """What is known of the model that is served.

    Attributes:
        loaded: when this worker opened it, UTC; None while there is none.
        looked: when it last looked for another, UTC; None where it never does, or has not yet.
        failed: what that look failed with; None where it did not.
    """

    loaded: datetime | None = None
    looked: datetime | None = None
    failed: ModelError | None = None


class Current(Protocol):
    """The current model."""

    def bundle(self) -> ModelBundle:
        """It. Two calls may give two versions.

        Raises:
            ModelError: there is none, and why.
        """

    def news(self) -> News:
        """What is known of it."""


class Fixed:
    """A model that is never replaced, or the reason for which there is none."""

    def __init__(self, found: ModelBundle | ModelError) -> None:
        self._found = found
        self._news = News(loaded=None if isinstance(found, ModelError) else datetime.now(UTC))

    def bundle(self) -> ModelBundle:
        """See `Current`."""
        if isinstance(self._found, ModelError):
            raise _anew(self._found)
        return self._found

    def news(self) -> News:
        """See `Current`."""
        return self._news


class _Held(NamedTuple):
    named: Named
    bundle: ModelBundle
    loaded: datetime
    hold: ExitStack


class Living:
    """A model that follows a mirror.

    Args:
        mirror: where versions come from.
        poll: seconds between looks, on average; 0: one look at start, and no more.
        warm: makes ready what the first request to a new version would wait for.
    """

    def __init__(self, mirror: Mirror, poll: float, warm: Callable[[ModelBundle], object] = ModelBundle.warm) -> None:
        self._mirror = mirror
        self._poll = poll
        self._warm = warm
        self._held: _Held | None = None
        self._retired: weakref.ref[ModelBundle] | None = None
        self._looked: datetime | None = None
        self._failed: ModelError | None = None
        self._said: dict[str, str] = {}
        self._closed = threading.Event()
        self._first = threading.Event()
        self._cold = False
        self._looking = threading.Lock()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self, *, patient: bool) -> None:
        """Open the last good version of the machine, if it has one, and begin to look for others.

        Args:
            patient: where no version is kept here that can be served, wait for the first look, though no longer than
                whoever started this worker would wait for it. Else that look is taken in the background.
        """
        # A server that opens the application before it forks must not do so while the thread holds any lock, NumPy's or
        # Python's own: the child would wait for it for ever.
        ours = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _pause(ours()),
            after_in_parent=lambda: _resume(ours()),
            after_in_child=lambda: _resume(ours()),
        )
        self._open_last()
        self._begin()
        if patient and self._held is None:
            self._first.wait(PATIENCE)

    def bundle(self) -> ModelBundle:
        """See `Current`."""
        if self._pid != os.getpid():  # a thread does not outlive a fork
            with self._beginning:
                if self._pid != os.getpid():
                    self._begin()
        held = self._held
        if held is None:
            raise _anew(self._failed or ModelPending("The model is still being fetched."))
        return held.bundle

    def news(self) -> News:
        """See `Current`."""
        held = self._held
        return News(held and held.loaded, self._looked, self._failed)

    def look(self) -> None:
        """Bring the mirror up to date, if that can be done, and serve what it has; failures are logged, each once."""
        with self._looking:
            self._sweep()
            failed = self._attempt("bring", self._mirror.bring)
            # Even after a failure: another worker may have been luckier.
            failed = self._attempt("follow", self._follow) or failed
            self._looked, self._failed = datetime.now(UTC), failed
            self._first.set()

    def close(self, timeout: float = 5.0) -> None:
        """Look no more, and wait so many seconds, at most, for the thread to end."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="model-poll", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self) -> None:
        while not self._closed.is_set():
            self.look()
            with self._looking:
                self._attempt("heat", self._heat)
            if not self._poll:
                return
            self._closed.wait(self._poll * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  # no secret

    def _heat(self) -> None:
        """Make ready what was served at once, since there was nothing else to serve."""
        if self._cold and self._held is not None:
            self._warm(self._held.bundle)
            self._cold = False

    def _attempt(self, name: str, step: Callable[[], object]) -> ModelError | None:
        try:
            step()
        except ModelError as error:
            told = isinstance(error, ArtefactRefused) and self._held is not None  # by whoever refused it
            if self._is_new(name, error) and not told:
                kept = "" if self._held is None else f" {self._held.named.version} is served on."
                log.error("The latest model can't be served: %s%s", error, kept)  # noqa: TRY400  # a sentence, no traceback
            return _anew(error)
        except Exception as error:
            if self._is_new(name, error):
                log.exception("Looking for a new model failed")
            return ModelError(f"Looking for a new model made a {type(error).__name__} of us.")
        self._said.pop(name, None)
        return None

    def _is_new(self, step: str, error: Exception) -> bool:
        """Whether none of the steps has failed so since it last went well."""
        gist = f"{type(error).__name__}: {CHANCE.sub('#', str(error))}"
        is_new = gist not in self._said.values()
        self._said[step] = gist
        return is_new

    def _follow(self) -> None:
        """Serve the mirror's newest version."""
        newest = next(iter(self._mirror.versions()), None)
        if newest is None or (self._held is not None and self._held.named == newest):
            return
        try:
            self._swap(newest)
        except ModelError:
            self._mirror.bring(mend=True)  # or it says what is wrong
            for named in self._mirror.versions()[:1]:
                self._swap(named)

    def _sweep(self) -> None:
        """Let go of the version before, if it is still here since the last look.

        Flask's and Jinja's objects of a request hold on to each other and to what was shown, until Python looks for
        such circles; for those that have become old it does so very rarely.
        """
        if self._retired is not None and self._retired() is not None:
            gc.collect()
        self._retired = None

    def _open_last(self) -> None:
        for named in self._mirror.versions():
            try:
                self._swap(named)
            except ModelError as error:
                log.warning("The version %s that is kept here can't be served: %s", named.version, error)
            else:
                return

    def _swap(self, named: Named) -> None:
        begun = time.monotonic()
        with ExitStack() as stack:
            bundle = ModelBundle.read(stack.enter_context(self._mirror.opened(named)))
            self._cold = self._held is None
            if not self._cold:
                self._warm(bundle)
            before, self._held = self._held, _Held(named, bundle, datetime.now(UTC), stack.pop_all())
        if before is not None:  # a request that still uses it maps its files, and those stay, deleted or not
            before.hold.close()
            self._retired = weakref.ref(before.bundle)
        log.info("The model %s is served, opened in %.2f s", named.version, time.monotonic() - begun)


def _pause(living: Living | None) -> None:
    """Wait until it looks no more, and keep it from looking."""
    if living is not None:
        living._looking.acquire()  # noqa: SLF001  # its own, released by `_resume`


def _resume(living: Living | None) -> None:
    if living is not None:
        living._looking.release()  # noqa: SLF001  # as said


def _anew(error: ModelError) -> ModelError:
    """The same error without the places that it was raised at, which would hold on to ever more."""
    return type(error)(str(error))
