"""What is counted and timed, for Prometheus. No label holds anything that a visitor sent.

With several workers each counts in files of its own, which are added up when anyone asks; see `hakken.serving.tallies`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from hakken.data_time import first_moment
from hakken.instrumentation import Stage, Store
from hakken.serving import tallies

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class Metrics:
    """All metrics of an application; an `Instrumentation`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests()
        self._sites()
        self._model()

    def _requests(self) -> None:
        self.request_seconds = Histogram(
            "hakken_request_seconds",
            "Time from a request's head to its answer, by route",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.answers = Counter(
            "hakken_answers", "Requests answered, by route and status", ["route", "status"], registry=self._registry
        )
        self._stages = Histogram(
            "hakken_stage_seconds",
            "Time of the parts of answers: wait (for a place), fetch (a list), recommend, render (a template)",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = self._gauge("hakken_requests_in_flight", "Requests being answered")
        self.waiting = self._gauge("hakken_requests_waiting", "Requests that wait for a place")
        self.refused = Counter(
            "hakken_refused",
            "Requests refused, by what: rate (too many from one client), full (no place in the worker)",
            ["by"],
            registry=self._registry,
        )
        self.limits_apart = self._gauge(
            "hakken_limits_apart", "Workers that count clients' requests for themselves, since the storage is down"
        )

    def _sites(self) -> None:
        self._asked = Counter(
            "hakken_site_requests",
            "Times that a site was asked, by how it ended: ok, refused (a 4xx), or the kind of error",
            ["site", "outcome"],
            registry=self._registry,
        )
        self._site_seconds = Histogram(
            "hakken_site_seconds",
            "Time that asking a site took, the wait for our turn included",
            ["site"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._resting = self._gauge(
            "hakken_breaker_open", "Workers that left a site alone when last it was wanted, since it failed", "site"
        )
        self._lookups = Counter(
            "hakken_lookups",
            "Times that something was looked for among what was had before, by store and by whether it was there",
            ["store", "found"],
            registry=self._registry,
        )

    def _model(self) -> None:
        self._served = ""
        self._serving = self._gauge("hakken_model_workers", "Workers that answered last with a version", "version")
        self._trained = Gauge(
            "hakken_model_trained_timestamp_seconds",
            "When the model was trained; the oldest that a worker answered with last",
            multiprocess_mode="livemin",
            registry=self._registry,
        )
        self._data_time = Gauge(
            "hakken_model_data_timestamp_seconds",
            "Up to when the model's ratings go, at least; the oldest that a worker answered with last; 0: unknown",
            multiprocess_mode="livemin",
            registry=self._registry,
        )

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        """A gauge that says the sum of what all living workers say."""
        return Gauge(name, words, labels, multiprocess_mode="livesum", registry=self._registry)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Take the time of a part of an answer."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.took(name, time.perf_counter() - begun)

    def took(self, name: Stage, seconds: float) -> None:
        """Count the time of a part of an answer."""
        self._stages.labels(name).observe(seconds)

    def site_asked(self, site: str, outcome: str, seconds: float) -> None:
        """Count how asking a site ended."""
        self._asked.labels(site, outcome).inc()
        self._site_seconds.labels(site).observe(seconds)

    def circuit_changed(self, site: str, *, resting: bool) -> None:
        """Remember whether this worker leaves a site alone."""
        self._resting.labels(site).set(int(resting))

    def looked_up(self, store: Store, *, found: bool) -> None:
        """Count whether something was there already."""
        self._lookups.labels(store, "yes" if found else "no").inc()

    def serves(self, version: str, trained: str, data_time: str | None) -> None:
        """Remember which model this worker answers with.

        Args:
            version: the model's.
            trained: when it was, in ISO 8601.
            data_time: up to when its ratings go, see `hakken.data_time`; None where nobody knows.
        """
        if version == self._served:
            return
        if self._served:
            self._serving.labels(self._served).set(0)
        self._served = version
        self._serving.labels(version).set(1)
        self._trained.set(datetime.fromisoformat(trained).timestamp())
        self._data_time.set(first_moment(data_time).timestamp() if data_time else 0)

    def written(self) -> bytes:
        """All of it, of all workers, in Prometheus's text format."""
        place = tallies.directory()
        if place is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(place))
        with tallies.held(place):
            return generate_latest(registry)
