"""What the Space counts, for `/metrics`: verdicts, refusals, times, sizes, seats and memory."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from hub_model.policy import Decision
from space.drift import Recent
from space.turns import Turns

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
BYTES = tuple(float(2**power) for power in range(10, 30, 2))  # 1 KiB to 256 MiB


class Metrics:
    """Counters of one server; no label holds anything that a client can make up.

    Args:
        turns: whose seats are shown.

    Attributes:
        recent: the latest verdicts on single images, for the page.
    """

    def __init__(self, turns: Turns) -> None:
        self.recent = Recent()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, file handles, processor time
        self._verdicts = Counter(
            "neuroguard_verdicts",
            "Cases judged, by model, verdict and first reason.",
            ("model", "verdict", "reason"),
            registry=self._registry,
        )
        self._refusals = Counter(
            "neuroguard_refusals", "Uploads refused, by code.", ("code",), registry=self._registry
        )
        self._requests = Counter(
            "neuroguard_requests",
            "Requests answered, by route and status.",
            ("route", "status"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "neuroguard_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._turn_seconds = Histogram(
            "neuroguard_turn_seconds",
            "Reading and judging one case, without the wait.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._bytes = Histogram(
            "neuroguard_request_bytes", "Sizes of request bodies.", buckets=BYTES,
            registry=self._registry,
        )  # fmt: skip
        taken = Gauge(
            "neuroguard_seats_taken", "Requests waiting or being judged.", registry=self._registry
        )
        taken.set_function(lambda: turns.taken)
        seats = Gauge(
            "neuroguard_seats", "Requests that may wait or be judged.", registry=self._registry
        )
        seats.set(turns.seats)

    def decided(self, model: str, decision: Decision, seconds: float) -> None:
        """Count one verdict, and what it took to reach it."""
        self.recent.add(model, decision)
        self._verdicts.labels(model, decision.verdict.value, decision.reasons[0].value).inc()
        self._turn_seconds.observe(seconds)

    def refused(self, code: str) -> None:
        """Count one upload that cannot be used."""
        self._refusals.labels(code).inc()

    def answered(self, route: str, status: int, seconds: float, size: int) -> None:
        """Count one request.

        Args:
            route: the route's own path, never the address that was asked for.
            status: of the answer.
            seconds: from first to last byte.
            size: bytes of the request's body.
        """
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)
        self._bytes.observe(size)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
