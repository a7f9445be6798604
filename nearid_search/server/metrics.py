"""What the service counts and times, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The figures of one service; nothing is shared with other services of the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "nearid_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._request_seconds = Histogram(
            "nearid_request_seconds", "From a request's headers to its answer.", ("route",), buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._stage_seconds = Histogram(
            "nearid_stage_seconds",
            "Of a query: decode (pictures to encoder input), wait (in the queue), encode (a batch), search, explain.",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch = Histogram(
            "nearid_batch_pictures", "Pictures in an encoder batch.", buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self._registry,
        )  # fmt: skip
        self.refreshes = Counter(
            "nearid_gallery_refreshes", "Times the gallery was opened anew.", ("outcome",), registry=self._registry
        )

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a figure that is looked up when it is asked for."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request; ``route`` is the path's pattern, so that there are few of them."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def note_stage(self, stage: str, seconds: float) -> None:
        """Note how long a stage of a query took."""
        self._stage_seconds.labels(stage).observe(seconds)

    def note_batch(self, pictures: int) -> None:
        """Note the size of an encoder batch."""
        self._batch.observe(pictures)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of a query."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.note_stage(name, time.perf_counter() - started)

    def text(self) -> bytes:
        """Return all figures."""
        return generate_latest(self._registry)
