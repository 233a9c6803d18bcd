"""The model that is served: opened at start, replaced while requests are answered.

A thread of each worker checks from time to time for another version, in the machine's mirror or, through it, in the
bucket. It opens that version, warms it up, and replaces the old one with a single assignment. Requests that began with
the old version finish with it; it is freed when the last of them releases it.
"""

import gc
import hashlib
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
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ArtefactRefused, ModelError, ModelPending, StorageError
from hakken.files import cache_directory, is_ours, make_private, private_directory
from hakken.model import store
from hakken.model.store import CURRENT_NAME, VersionRef
from hakken.registry.storage import BUCKET_SCHEME, DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import Mirror, fetch
from hakken.registry.trial import try_version

JITTER = 0.25
"""Random variation of the poll interval: workers and machines that started together should not poll together."""

START_TIMEOUT = 20.0
"""Seconds to wait for a first model to be fetched and tried. gunicorn replaces a worker that takes 30 to start."""

WARM_AFTER = 3.0
"""Seconds after which an embedded model is warmed up: a worker that has just started has requests to answer."""

MAX_NAME_LENGTH = 200
"""Characters of a directory's name that all file systems allow."""

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


class ServedModel:
    """A model that is never replaced, or the reason why there is none."""

    def __init__(self, found: ModelBundle | ModelError) -> None:
        self._found = found
        self._status = ModelStatus(loaded=None if isinstance(found, ModelError) else datetime.now(UTC))

    def bundle(self) -> ModelBundle:
        """The current model. Two calls may give two versions.

        Raises:
            ModelError: why there is none.
        """
        found = self._found
        if isinstance(found, ModelError):
            raise _without_traceback(found)
        return found

    def status(self) -> ModelStatus:
        """Its state."""
        return self._status


class ReloadingModel(ServedModel):
    """A model that follows a mirror.

    Args:
        mirror: where versions come from.
        poll: seconds between checks, on average; 0: one check at start, and no more.
        warm: computes in advance what the first request to a new version would wait for.
    """

    def __init__(self, mirror: Mirror, poll: float, warm: Callable[[ModelBundle], object] = ModelBundle.warm) -> None:
        super().__init__(ModelPending("The model is still being fetched."))
        self._mirror, self._poll, self._warm = mirror, poll, warm
        self._ref: VersionRef | None = None
        self._hold = ExitStack()
        self._retired: Callable[[], ModelBundle | None] = lambda: None
        self._reported: dict[str, str] = {}
        self._cold = False
        self._closed, self._first_check = threading.Event(), threading.Event()
        self._checking = threading.Lock()

    def start(self, *, patient: bool) -> None:
        """Open the newest usable local version, if there is one, and start checking for others.

        Args:
            patient: where there is no usable local version, wait up to `START_TIMEOUT` for the first check. Otherwise
                that check runs in the background.
        """
        # A server that opens the application before it forks must not fork while the thread holds a lock, NumPy's or
        # Python's own: the child would wait for it for ever.
        lock, ours = self._checking, weakref.ref(self)
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)

        def start_again() -> None:
            if (model := ours()) is not None:
                model.start_thread()

        os.register_at_fork(after_in_child=start_again)
        for ref in self._mirror.versions():
            try:
                self._swap(ref)
            except ModelError as error:
                log.warning("The version %s that is kept here can't be served: %s", ref.version, error)
            else:
                break
        self.start_thread()
        if patient and self._ref is None:
            self._first_check.wait(START_TIMEOUT)

    def start_thread(self) -> None:
        """Start checking in the background; threads do not survive a fork."""
        self._thread = threading.Thread(target=self._run, name="model-poll", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Sync the mirror, if that is possible, and serve its newest version; failures are logged, each once."""
        with self._checking:
            # Flask's and Jinja's objects of a request form reference cycles that hold the previous version, and Python
            # collects cycles of old objects very rarely.
            if self._retired() is not None:
                gc.collect()
            failed = self._attempt("sync", self._mirror.sync)
            # Even after a failure: another worker may have synced.
            failed = self._attempt("follow", self._follow) or failed
            if failed and self._ref is None:
                self._found = failed
            self._status = self._status._replace(looked=datetime.now(UTC), failed=failed)
            self._first_check.set()
            # A first model was served at once, since there was nothing else to serve.
            if self._cold and self._attempt("warm", lambda: self._warm(self.bundle())) is None:
                self._cold = False

    def close(self, timeout: float = 5.0) -> None:
        """Stop checking, and wait up to `timeout` seconds for the thread to end."""
        self._closed.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closed.is_set():
            self.check()
            if not self._poll:
                return
            self._closed.wait(self._poll * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  # no secret

    def _attempt(self, name: str, step: Callable[[], object]) -> ModelError | None:
        """Make a step of a check; its failure is logged, unless some step has failed like this since it succeeded."""
        try:
            step()
        except Exception as error:
            gist = f"{type(error).__name__}: {VARIABLE.sub('#', str(error))}"
            is_new = gist not in self._reported.values()
            self._reported[name] = gist
            if not isinstance(error, ModelError):
                if is_new:
                    log.exception("Looking for a new model failed")
                return ModelError(f"Looking for a new model failed with a {type(error).__name__}.")
            # A refusal was logged by the worker that refused the version.
            if is_new and not (isinstance(error, ArtefactRefused) and self._ref):
                kept = f" {self._ref.version} is served on." if self._ref else ""
                log.error("The latest model can't be served: %s%s", error, kept)  # noqa: TRY400  # a sentence, no traceback
            return _without_traceback(error)
        self._reported.pop(name, None)
        return None

    def _follow(self) -> None:
        """Serve the mirror's newest version."""
        for newest in self._mirror.versions()[:1]:
            if newest != self._ref:
                try:
                    self._swap(newest)
                except ModelError:
                    self._mirror.sync(repair=True)  # or it raises what is wrong
                    for ref in self._mirror.versions()[:1]:
                        self._swap(ref)

    def _swap(self, ref: VersionRef) -> None:
        begun = time.monotonic()
        with ExitStack() as stack:
            bundle = ModelBundle.read(stack.enter_context(self._mirror.opened(ref)))
            self._cold = self._ref is None
            if not self._cold:
                self._warm(bundle)
                self._retired = weakref.ref(self.bundle())
            self._found, self._ref = bundle, ref
            self._status = self._status._replace(loaded=datetime.now(UTC))
            self._hold.close()  # requests that still use the old one have mapped its files, which stay, deleted or not
            self._hold = stack.pop_all()
        log.info("The model %s is served, opened in %.2f s", ref.version, time.monotonic() - begun)


def _without_traceback(error: ModelError) -> ModelError:
    """A copy of an error: raised again and again, the same one would accumulate tracebacks."""
    return type(error)(str(error))


def serve_model(settings: Settings, warm: Callable[[ModelBundle], object]) -> ServedModel:
    """The model that `settings.model` names, replaced whenever there is a new version of it.

    Args:
        settings: the operator's.
        warm: see `ReloadingModel`.
    """
    try:
        if settings.model == store.EMBEDDED:
            bundle = open_bundle(settings)
            bundle.warm()  # a worker gets several requests at once, and each would wait
            later = threading.Timer(WARM_AFTER, warm, (bundle,))
            later.daemon = True
            later.start()
            return ServedModel(bundle)
        mirror = mirror_of(settings)
    except ModelError as error:
        log.error("The model %s can't be served: %s", settings.model, error)  # noqa: TRY400  # a sentence, no traceback
        return ServedModel(error)
    model = ReloadingModel(mirror, settings.model_poll, warm)
    # A bucket may be slow, and meanwhile pages should say so; a directory is not.
    model.start(patient=not settings.model.startswith(BUCKET_SCHEME))
    return model


def open_bundle(settings: Settings) -> ModelBundle:
    """Open what `settings.model` names; from a bucket it is fetched first.

    When the bucket has no usable version, the one that was fetched from it last is opened instead.

    Raises:
        ModelError: it can't be fetched or can't be used.
    """
    model = settings.model
    if not model.startswith(BUCKET_SCHEME):
        place = model if model == store.EMBEDDED else DirectoryStore.at(model).root
        return ModelBundle.read(store.open_artefact(place))
    versions = mirror_directory(settings)
    try:
        fetch(open_store(model), versions, accept=try_version)
    except ModelError as error:
        if not (versions / CURRENT_NAME).exists():
            raise
        log.error("Serving the model fetched last, since %s", error)  # noqa: TRY400  # a sentence, no traceback
    return ModelBundle.read(store.open_artefact(versions))


def mirror_directory(settings: Settings) -> Path:
    """Where this machine keeps the versions that it has fetched of the model that is served."""
    model = settings.model
    name = quote(model if model.startswith(BUCKET_SCHEME) else str(DirectoryStore.at(model)), safe="")
    if len(name) > MAX_NAME_LENGTH:
        name = f"{name[:MAX_NAME_LENGTH]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return cache_directory(settings.cache_dir) / "models" / name


def mirror_of(settings: Settings) -> Mirror:
    """The mirror of what `settings.model` names; without a writable directory, one that this process alone has.

    Raises:
        StorageError: the address is invalid, or there is no writable directory at all.
    """
    chosen = mirror_directory(settings)
    # The last good model, even where no other can be stored: rather than none, or a copy for each worker.
    root = chosen if is_ours(chosen / CURRENT_NAME) else private_directory(chosen)
    if root is None:
        raise StorageError("There is no writable directory for models.")

    def find_store() -> ObjectStore:
        try:
            make_private(root)
        except OSError as error:
            raise StorageError(f"No other model can be stored in {root}: {error.strerror or error}.") from error
        return open_store(settings.model)

    return Mirror(root, find_store, try_version)
