"""Numbers about requests, `frostbyte_api_{measurement}_{unit}`. No id, name or content is ever a label."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
"""Seconds."""


class RequestMeters:
    """Counts what passes, by route pattern."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.seconds = Histogram(
            "frostbyte_api_request_seconds",
            "Time to answer",
            ["route", "method"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.answers = Counter("frostbyte_api_answers_total", "Answers", ["route", "status"], registry=registry)
        self.problems = Counter(
            "frostbyte_api_problems_total", "Refusals and failures by code", ["code"], registry=registry
        )
        self.received = Counter("frostbyte_api_received_bytes", "Bytes of bodies", ["route"], registry=registry)
        self.streams = Gauge("frostbyte_api_event_streams_count", "Open event streams", registry=registry)
