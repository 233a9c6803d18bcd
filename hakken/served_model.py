"""The model that is served: opened at start, replaced while requests are answered.

A thread of each worker checks from time to time for another version, in the machine's mirror or, through it, in the
bucket. It opens that version, warms it up, and replaces the old one with a single assignment. Requests that began with
the old version finish with it; it is freed when the last of them releases it.
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
from typing import NamedTuple

from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ArtefactRefused, ModelError, ModelPending
from hakken.model import store
from hakken.model.current_version import VersionRef
from hakken.registry.opening import mirror_of, open_bundle
from hakken.registry.storage import BUCKET_SCHEME
from hakken.registry.sync import Mirror

JITTER = 0.25
"""Random variation of the poll interval: workers and machines that started together should not poll together."""

START_TIMEOUT = 20.0
"""Seconds to wait for a first model to be fetched and tried. gunicorn replaces a worker that takes 30 to start."""

VARIABLE = re.compile(r"\b(0x[0-9a-f]+|\d+)\b", re.IGNORECASE)
"""What differs between two messages about the same failure: object addresses, free bytes, ports."""

log = logging.getLogger("hakken")


class ModelStatus(NamedTuple):
    """The state of the model that is served.

    Attributes:
        loaded: when this worker opened it, UTC; None while there is none.
        looked: when it last checked for another, UTC; None where it never does, or has not yet.
        failed: the error of that check; None where it succeeded.
    """

    loaded: datetime | None = None
    looked: datetime | None = None
    failed: ModelError | None = None


class FixedModel:
    """A model that is never replaced, or the reason why there is none."""

    def __init__(self, found: ModelBundle | ModelError) -> None:
        self._found = found
        self._status = ModelStatus(loaded=None if isinstance(found, ModelError) else datetime.now(UTC))

    def bundle(self) -> ModelBundle:
        """The model.

        Raises:
            ModelError: why there is none.
        """
        if isinstance(self._found, ModelError):
            raise _without_traceback(self._found)
        return self._found

    def status(self) -> ModelStatus:
        """Its state."""
        return self._status


class _Loaded(NamedTuple):
    ref: VersionRef
    bundle: ModelBundle
    loaded: datetime
    hold: ExitStack


class ReloadingModel:
    """A model that follows a mirror.

    Args:
        mirror: where versions come from.
        poll: seconds between checks, on average; 0: one check at start, and no more.
        warm: computes in advance what the first request to a new version would wait for.
    """

    def __init__(self, mirror: Mirror, poll: float, warm: Callable[[ModelBundle], object] = ModelBundle.warm) -> None:
        self._mirror = mirror
        self._poll = poll
        self._warm = warm
        self._loaded: _Loaded | None = None
        self._retired: weakref.ref[ModelBundle] | None = None
        self._looked: datetime | None = None
        self._failed: ModelError | None = None
        self._reported: dict[str, str] = {}
        self._closed = threading.Event()
        self._first_check = threading.Event()
        self._cold = False
        self._checking = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self, *, patient: bool) -> None:
        """Open the newest usable local version, if there is one, and start checking for others.

        Args:
            patient: where there is no usable local version, wait up to `START_TIMEOUT` for the first check. Otherwise
                that check runs in the background.
        """
        # A server that opens the application before it forks must not fork while the thread holds a lock, NumPy's or
        # Python's own: the child would wait for it for ever.
        ours = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _pause(ours()),
            after_in_parent=lambda: _resume(ours()),
            after_in_child=lambda: _resume(ours()),
        )
        for ref in self._mirror.versions():
            try:
                self._swap(ref)
            except ModelError as error:
                log.warning("The version %s that is kept here can't be served: %s", ref.version, error)
            else:
                break
        self._start_thread()
        if patient and self._loaded is None:
            self._first_check.wait(START_TIMEOUT)

    def bundle(self) -> ModelBundle:
        """The current model. Two calls may give two versions.

        Raises:
            ModelError: why there is none.
        """
        if self._pid != os.getpid():  # threads do not survive a fork
            with self._starting:
                if self._pid != os.getpid():
                    self._start_thread()
        loaded = self._loaded
        if loaded is None:
            raise _without_traceback(self._failed or ModelPending("The model is still being fetched."))
        return loaded.bundle

    def status(self) -> ModelStatus:
        """Its state."""
        loaded = self._loaded
        return ModelStatus(loaded and loaded.loaded, self._looked, self._failed)

    def check(self) -> None:
        """Sync the mirror, if that is possible, and serve its newest version; failures are logged, each once."""
        with self._checking:
            self._collect_retired()
            failed = self._attempt("sync", self._mirror.sync)
            # Even after a failure: another worker may have synced.
            failed = self._attempt("follow", self._follow) or failed
            self._looked, self._failed = datetime.now(UTC), failed
            self._first_check.set()

    def close(self, timeout: float = 5.0) -> None:
        """Stop checking, and wait up to `timeout` seconds for the thread to end."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="model-poll", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self) -> None:
        while not self._closed.is_set():
            self.check()
            with self._checking:
                self._attempt("warm", self._warm_first)
            if not self._poll:
                return
            self._closed.wait(self._poll * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  # no secret

    def _warm_first(self) -> None:
        """Warm up a first model, which was served at once since there was nothing else to serve."""
        if self._cold and self._loaded is not None:
            self._warm(self._loaded.bundle)
            self._cold = False

    def _attempt(self, name: str, step: Callable[[], object]) -> ModelError | None:
        try:
            step()
        except ModelError as error:
            # A refusal was logged by the worker that refused the version.
            logged = isinstance(error, ArtefactRefused) and self._loaded is not None
            if self._is_new(name, error) and not logged:
                kept = "" if self._loaded is None else f" {self._loaded.ref.version} is served on."
                log.error("The latest model can't be served: %s%s", error, kept)  # noqa: TRY400  # a sentence, no traceback
            return _without_traceback(error)
        except Exception as error:
            if self._is_new(name, error):
                log.exception("Looking for a new model failed")
            return ModelError(f"Looking for a new model made a {type(error).__name__} of us.")
        self._reported.pop(name, None)
        return None

    def _is_new(self, step: str, error: Exception) -> bool:
        """Whether no step has failed like this since it last succeeded."""
        gist = f"{type(error).__name__}: {VARIABLE.sub('#', str(error))}"
        is_new = gist not in self._reported.values()
        self._reported[step] = gist
        return is_new

    def _follow(self) -> None:
        """Serve the mirror's newest version."""
        newest = next(iter(self._mirror.versions()), None)
        if newest is None or (self._loaded is not None and self._loaded.ref == newest):
            return
        try:
            self._swap(newest)
        except ModelError:
            self._mirror.sync(repair=True)  # or it raises what is wrong
            for ref in self._mirror.versions()[:1]:
                self._swap(ref)

    def _collect_retired(self) -> None:
        """Free the previous version, if it is still here since the last check.

        Flask's and Jinja's objects of a request form reference cycles that hold the model, and Python collects cycles
        of old objects very rarely.
        """
        if self._retired is not None and self._retired() is not None:
            gc.collect()
        self._retired = None

    def _swap(self, ref: VersionRef) -> None:
        begun = time.monotonic()
        with ExitStack() as stack:
            bundle = ModelBundle.read(stack.enter_context(self._mirror.opened(ref)))
            self._cold = self._loaded is None
            if not self._cold:
                self._warm(bundle)
            before, self._loaded = self._loaded, _Loaded(ref, bundle, datetime.now(UTC), stack.pop_all())
        if before is not None:  # requests that still use it have mapped its files, which stay, deleted or not
            before.hold.close()
            self._retired = weakref.ref(before.bundle)
        log.info("The model %s is served, opened in %.2f s", ref.version, time.monotonic() - begun)


def _pause(model: ReloadingModel | None) -> None:
    """Wait for a running check to end, and prevent another."""
    if model is not None:
        model._checking.acquire()  # noqa: SLF001  # its own, released by `_resume`


def _resume(model: ReloadingModel | None) -> None:
    if model is not None:
        model._checking.release()  # noqa: SLF001  # its own, acquired by `_pause`


def _without_traceback(error: ModelError) -> ModelError:
    """A copy of an error: raised again and again, the same one would accumulate tracebacks."""
    return type(error)(str(error))


def serve_model(settings: Settings, warm: Callable[[ModelBundle], object]) -> FixedModel | ReloadingModel:
    """The model that `settings.model` names, replaced whenever there is a new version of it.

    Args:
        settings: the operator's.
        warm: see `ReloadingModel`.
    """
    try:
        if settings.model == store.EMBEDDED:
            bundle = open_bundle(settings)
            bundle.warm()  # a worker gets several requests at once, and each would wait
            return FixedModel(bundle)
        mirror = mirror_of(settings)
    except ModelError as error:
        log.error("The model %s can't be served: %s", settings.model, error)  # noqa: TRY400  # a sentence, no traceback
        return FixedModel(error)
    model = ReloadingModel(mirror, settings.model_poll, warm)
    # A bucket may be slow, and meanwhile pages should say so; a directory is not.
    model.start(patient=not settings.model.startswith(BUCKET_SCHEME))
    return model
