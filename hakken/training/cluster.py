"""Work on the machines of a Dask cluster (docs.dask.org), or on processes of this one."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import hakken
from hakken.errors import ClusterError, ConfigError
from hakken.training.progress import Advance
from hakken.training.stage_times import peak_memory
from hakken.training.threads import N_THREADS

try:
    import dask
    from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster, as_completed
    from distributed.comm import CommClosedError
except ImportError as error:
    raise ConfigError('Training on a cluster needs Dask: pip install "hakken[distributed]".') from error

PATIENCE = 5
"""Seconds in which a scheduler has to answer, and to have a worker."""
LOCAL = re.compile(r"local(?::([1-9]\d{0,2}))?")


class Cluster:
    """The workers that are there when it begins; each part of the work belongs to one of them, while it lives."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._workers = sorted(client.nthreads())

    def __len__(self) -> int:
        return len(self._workers)

    def submit(self, function: Callable[..., Any], *arguments: object, part: int | None = None) -> Future:
        """Call a function on the worker of a part, or on any; futures among the arguments become their results."""
        where = None if part is None else [self._workers[part % len(self)]]
        return self._client.submit(function, *arguments, workers=where, allow_other_workers=bool(where), pure=False)

    def each(self, function: Callable[..., Any], parts: Iterable[Any], *arguments: object) -> list[Future]:
        """Call a function with each part, on its worker."""
        return [self.submit(function, one, *arguments, part=part) for part, one in enumerate(parts)]

    def gather(self, futures: Sequence[Future], advance: Advance = lambda _: None) -> list[Any]:
        """Wait for results, which should be small."""
        for future in as_completed(futures):
            if future.status == "error":
                break
            advance(1)
        results: list[Any] = self._client.gather(futures)
        return results

    def total(self, futures: Sequence[Future]) -> Future:
        """Add results up, two by two, so that no worker holds more than three at once."""
        while len(futures) > 1:
            pairs = [futures[at : at + 2] for at in range(0, len(futures), 2)]
            futures = [self.submit(_added, *pair) if len(pair) > 1 else pair[0] for pair in pairs]
        return futures[0]

    def peak_memory(self) -> int:
        """Peak resident memory of the largest worker that is left, bytes."""
        told = self._client.run(peak_memory, on_error="ignore")  # the model is there, whoever leaves now
        return max(told.values(), default=0)


@contextmanager
def connected(scheduler: str, tell: Callable[[str], None]) -> Iterator[Cluster]:
    """Connect to a scheduler; its dashboard's address is told.

    Args:
        scheduler: `local`, `local:N` for N processes of this machine, or an address such as tcp://10.0.0.1:8786.
        tell: receives a line.

    Raises:
        ConfigError: that is none of these.
        ClusterError: no scheduler answers, it has no worker, a worker has another version of Hakken, or the cluster is
            lost while the block runs.
    """
    with ExitStack() as stack:
        client = stack.enter_context(_client(scheduler, stack))
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise ClusterError(f"The scheduler at {scheduler} has no worker.") from error
        _require_one_version(client)
        tell(f"workers: {len(client.nthreads())}; dashboard: {client.dashboard_link}")
        try:
            yield Cluster(client)
        except KilledWorker as error:
            raise ClusterError(
                f"Workers ended again and again at the same step, {error.task}: perhaps for lack of memory."
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise ClusterError(f"The connection to the scheduler at {scheduler} was lost.") from error


def _client(scheduler: str, stack: ExitStack) -> Client:
    local = LOCAL.fullmatch(scheduler)
    if local:
        n_workers = int(local[1] or N_THREADS)
        # Set before a worker's Python starts, since Numba reads it when it is loaded.
        shared = {"distributed.nanny.pre-spawn-environ.NUMBA_NUM_THREADS": max(1, N_THREADS // n_workers)}
        with dask.config.set(shared):
            cluster = LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.ERROR,
            )
        return Client(stack.enter_context(cluster))
    if "://" not in scheduler:
        raise ConfigError(f"{scheduler} is neither local, local:N nor an address such as tcp://10.0.0.1:8786.")
    try:
        return Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ClusterError(f"No Dask scheduler answers at {scheduler}: {error}.") from error


def _require_one_version(client: Client) -> None:
    for worker, version in client.run(_version, on_error="return").items():
        if version != hakken.__version__:
            has = "can't load Hakken" if isinstance(version, Exception) else f"has Hakken {version}"
            raise ClusterError(f"The worker {worker} {has}, and this is Hakken {hakken.__version__}: install the same.")


def _version() -> str:
    return hakken.__version__


def _added(one: Any, other: Any) -> Any:  # noqa: ANN401 - whatever can be added
    return one + other
