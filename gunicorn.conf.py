"""Configuration of gunicorn, which reads this file by itself; PORT, WEB_CONCURRENCY and SCRIPT_NAME are its own."""

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

# gunicorn reads this before it changes to the directory of --chdir; a program that executes its text is in this place.
if find_spec("hakken") is None:
    sys.path.append(str(Path(globals().get("__file__", "gunicorn.conf.py")).resolve().parent))

from hakken.config import Settings, is_prefix, variable_names
from hakken.errors import ConfigError, HakkenError
from hakken.files import temporary_directory
from hakken.serving import logs, memory, metric_files
from hakken.serving.capacity import default_workers
from hakken.serving.limit_storage import check_limit_storage
from hakken.serving.worker import Worker

GC_THRESHOLD = 5000
"""With Python's default, a page of twenty titles takes eight collections, a twelfth of its time."""


def _settings() -> Settings:
    try:
        return Settings.from_environ(os.environ)
    except ConfigError:
        return Settings()  # on_starting reports the error and exits


_chosen = _settings()

worker_class = Worker
if "WEB_CONCURRENCY" not in os.environ:
    workers = default_workers()
threads = _chosen.threads
raw_env = [
    # Requests run in parallel, and BLAS threads would compete for the cores. Set before NumPy is loaded.
    f"{name}=1"
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if name not in os.environ
]
# Each worker opens the model itself, so that a worker started later has the newest one; the code is loaded before they
# are forked, see `when_ready`.
preload_app = False
# This limits the effect of memory leaks; the jitter keeps workers from restarting together.
max_requests, max_requests_jitter = 20_000, 5_000
graceful_timeout = int(_chosen.request_deadline) + 10  # requests are answered or cut off by then
timeout = 30  # the accepting thread reports every second, independent of requests
keepalive = 5
worker_tmp_dir = memory.memory_directory()  # a worker's report must not wait for a disk
logger_class = logs.QuietAccessLogger
logconfig_dict = logs.configuration(
    os.environ.get("HAKKEN_LOG_LINES", "").strip(), os.environ.get("HAKKEN_LOG_LEVEL", "").strip()
)
limit_request_line = 8190  # an address may hold 200 picks, 100 titles to leave out, and all other choices
control_socket_disable = True  # it would write to a home that a server may not have
forwarded_allow_ips = ""  # HAKKEN_PROXIES decides which proxies are trusted, not gunicorn
worker_connections = memory.room_for(1000)
access_log_format = '%(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # no query string, for it holds the username


def on_starting(server: Any) -> None:
    """Refuse a wrong setting at once and in a sentence, before any worker is started."""
    # They load NumPy, which must find `raw_env`.
    from hakken.sites.facts import facts_site  # noqa: PLC0415  # loads NumPy, which reads `raw_env`
    from hakken.sites.list_sources import mal_source_names  # noqa: PLC0415  # loads NumPy, which reads `raw_env`

    try:
        settings = Settings.from_environ(os.environ)
        mal_source_names(settings)
        if settings.facts_from:
            facts_site(settings.facts_from, settings)
        check_limit_storage(settings)
        memory.memory_directory() or temporary_directory()  # for the file in which each worker reports
    except ConfigError as error:
        sys.exit(f"hakken: {error}")
    except FileNotFoundError as error:
        sys.exit(f"hakken: {error.strerror}.")
    prefix = os.environ.get("SCRIPT_NAME", "").strip()
    if not is_prefix(prefix):
        sys.exit(f"hakken: The setting SCRIPT_NAME can't be used: {prefix!r} is not a path such as /hakken.")
    os.environ["SCRIPT_NAME"] = prefix.rstrip("/")  # which gunicorn reads for each request
    os.register_at_fork(after_in_parent=_unblock_sigterm)
    Worker.seconds = settings.request_deadline
    if variable_names()["waiting"] in os.environ:
        server.log.warning("HAKKEN_WAITING has no effect any more: 32 requests may queue in a worker.")
    os.environ.pop(metric_files.VARIABLE, None)
    if not settings.metrics_token:
        return
    try:
        metric_files.make_directory()
    except OSError as error:
        server.log.warning("There is no room for metrics (%s): each worker counts for itself.", error.strerror)


def _unblock_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def pre_fork(server: Any, worker: Any) -> None:
    """Exclude existing objects from garbage collection, which would unshare their memory pages.

    Also block SIGTERM until the worker handles signals itself: until then it has inherited the master's handler, would
    ignore the signal, and be killed after `graceful_timeout`. And give it the first free slot of the metric files.
    """
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    taken = {one.slot for one in server.WORKERS.values()}
    worker.slot = next(slot for slot in count() if slot not in taken)


def when_ready(server: Any) -> None:
    """Load the code, which takes most of a start's time, and which workers then share; visitors wait at the socket."""
    import_module("ars_app")
    gc.collect()  # later, in a worker, this would copy the shared pages


def post_fork(server: Any, worker: Any) -> None:
    """Tell the application the effective number of threads, since gunicorn's own options override ours."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until it handles signals itself, it has no request to finish
    _unblock_sigterm()
    os.environ[variable_names()["threads"]] = str(max(worker.cfg.threads, 2))
    memory.use_one_malloc_arena()
    gc.set_threshold(GC_THRESHOLD)
    try:
        metric_files.use_slot(worker.slot)
    except OSError as error:
        server.log.warning("There is no room for metrics (%s): this worker counts for itself.", error.strerror)


def post_worker_init(worker: Any) -> None:
    """Compile the templates, and warm up the model in a worker that replaces another: meanwhile others answer.

    Several first requests at once would each compile the same templates, which takes seconds on a slow machine.
    """
    services = getattr(worker.wsgi, "extensions", {}).get("hakken")
    if services:
        for name in worker.wsgi.jinja_env.list_templates():
            worker.wsgi.jinja_env.get_template(name)
    if services and worker.age > worker.cfg.workers:
        with suppress(HakkenError):  # each page will say so
            import_module("hakken.web").warm(services.bundle())


def child_exit(server: Any, worker: Any) -> None:
    """Report no gauges of an ended worker any more."""
    metric_files.drop_gauges(worker.slot)


def on_exit(server: Any) -> None:
    """Remove the directory of the counters."""
    metric_files.remove_directory()
