"""Opening the model that the settings name, and where this machine keeps what it fetches of it."""

import hashlib
import logging
from functools import partial
from pathlib import Path
from urllib.parse import quote

from hakken.bundle import ModelBundle
from hakken.config import Settings
from hakken.errors import ModelError, StorageError
from hakken.files import cache_directory, is_ours, make_private, private_directory
from hakken.model import store
from hakken.model.current_version import CURRENT_NAME
from hakken.registry.storage import BUCKET_SCHEME, DirectoryStore, ObjectStore, open_store
from hakken.registry.sync import Mirror, fetch
from hakken.registry.trial import try_version

MAX_NAME_LENGTH = 200
"""Characters of a directory's name that all file systems allow."""

log = logging.getLogger("hakken")


def open_bundle(settings: Settings) -> ModelBundle:
    """Open what `settings.model` names; from a bucket it is fetched first.

    When the bucket has no usable version, the one that was fetched from it last is opened instead.

    Raises:
        ModelError: it can't be fetched or can't be used.
    """
    if settings.model == store.EMBEDDED:
        return ModelBundle.read(store.open_artefact(store.EMBEDDED))
    if not settings.model.startswith(BUCKET_SCHEME):
        return ModelBundle.read(store.open_artefact(DirectoryStore.at(settings.model).root))
    versions = mirror_directory(settings)
    try:
        fetch(open_store(settings.model), versions, accept=try_version)
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
    try:
        _check_writable(chosen)
    except StorageError as error:
        # Serve the last good model rather than none, or a copy for each worker.
        if is_ours(chosen / CURRENT_NAME):
            log.warning("Serving the model that was fetched last: %s", error)
            return Mirror(chosen, partial(_store_if_writable, chosen, settings.model), try_version)
    root = private_directory(chosen)
    if root is None:
        raise StorageError("There is no writable directory for models.")
    return Mirror(root, partial(open_store, settings.model), try_version)


def _store_if_writable(root: Path, model: str) -> ObjectStore:
    """The store to fetch versions from, as soon as they can be stored here."""
    _check_writable(root)
    return open_store(model)


def _check_writable(root: Path) -> None:
    try:
        make_private(root)
    except OSError as error:
        raise StorageError(f"No other model can be stored in {root}: {error.strerror or error}.") from error
