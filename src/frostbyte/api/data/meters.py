"""A plane's metrics, `frostbyte_{component}_{measurement}_{unit}`. No id, name or content is ever a label."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frostbyte.api.http.meters import RequestMeters
from frostbyte.bootstrap.data import Plane
from frostbyte.bootstrap.watch import Tallies, Watch
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.records import EventRow, Stage, State

STALE_SECONDS: Final = 45.0
"""Tallies older than this are not shown any more: an alert must not rest on what was true once."""
_ENDS: Final = frozenset(
    {
        EventType.DOCUMENT_SCANNED, EventType.DOCUMENT_PARSED, EventType.PARSE_FAILED, EventType.POLICY_GATE_PASSED,
        EventType.POLICY_GATE_FAILED, EventType.DOCUMENT_EMBEDDED, EventType.EMBEDDING_FAILED, EventType.INDEX_WRITTEN,
    }
)  # fmt: skip
"""Events of which a stage writes exactly one when it ends."""
_STAGE_BUCKETS: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class Meters(RequestMeters):
    """Counts requests, and stages as the log numbers their ends."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = Histogram(
            "frostbyte_stage_run_seconds", "Time of a stage, whichever process ran it", ["stage", "outcome"],
            buckets=_STAGE_BUCKETS, registry=self.registry,
        )  # fmt: skip

    def ended(self, events: Sequence[EventRow]) -> None:
        """Count the stages that these events end; called once for each event of the log."""
        for event in events:
            stage, took = event.details.get("component"), event.details.get("duration_ms")
            if event.type not in _ENDS or not isinstance(stage, str) or not isinstance(took, int):
                continue
            failed = event.type in (EventType.PARSE_FAILED, EventType.POLICY_GATE_FAILED, EventType.EMBEDDING_FAILED)
            outcome = "failed" if failed or event.details.get("status") == "failed" else "done"
            self.stages.labels(stage=stage, outcome=outcome).observe(took / 1000)


class PlaneGauges(Collector):
    """What is so now, made anew for each scrape, so that nothing stays that is no more. It never waits for a server."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: collecting is cheap."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        plane, watch, now = self._plane, self._plane.watch, time.monotonic()
        database = watch.answers.get("database")
        yield _one("frostbyte_plane_ready_bool", "1 if the plane can work", bool(database and database.holds(now)))
        yield _one("frostbyte_plane_suspended_bool", "1 if its control plane told it to stop", bool(plane.gate.refusal))
        yield _one("frostbyte_plane_dispatch_bool", "1 if jobs may be begun", plane.gate.waits is None)
        left = plane.obeying.lease_left if plane.obeying is not None else None
        if left is not None:
            yield _one("frostbyte_control_lease_seconds", "Seconds that jobs may be begun without another word", left)
        yield _one("frostbyte_plane_stand_ins_count", "Development stand-ins in use", len(plane.stand_ins))
        trouble = sum(name != "sequencer" for name in plane.sequencer.trouble)
        yield _one("frostbyte_audit_witnesses_failing_count", "Witnesses that do not cosign", trouble)
        yield from _servers(watch, now)
        yield from _disk(watch)
        if watch.tallies is not None:
            age = now - watch.tallies.at
            yield _one("frostbyte_watch_age_seconds", "Age of the counts below", age)
            if age < STALE_SECONDS:
                yield from _jobs(watch.tallies)
                yield from _documents(watch.tallies)
                yield from _audit(watch.tallies)
                yield from _hints(watch)
                yield from _signatures(watch.tallies)
                yield from _keeping(watch.tallies)
                yield _one("frostbyte_webhooks_dead_count", "Messages given up", watch.tallies.webhooks_dead)


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))


def _by(name: str, about: str, label: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _servers(watch: Watch, now: float) -> Iterable[Metric]:
    known = {name: answer for name, answer in watch.answers.items() if answer.known or answer.hangs(now)}
    up = {name: float(answer.holds(now)) for name, answer in known.items()}
    yield _by("frostbyte_dependency_up_bool", "1 if the server answers", "dependency", up)
    took = {name: answer.seconds for name, answer in known.items()}
    yield _by("frostbyte_dependency_probe_seconds", "Time of its last answer", "dependency", took)


def _disk(watch: Watch) -> Iterable[Metric]:
    try:
        size, free = watch.disk()
    except OSError:
        return
    yield _one("frostbyte_disk_size_bytes", "Size of the data folder's disk", size)
    yield _one("frostbyte_disk_free_bytes", "Free on the data folder's disk", free)


def _jobs(tallies: Tallies) -> Iterable[Metric]:
    count, oldest, overdue = (dict.fromkeys((stage.value for stage in Stage), 0.0) for _ in range(3))
    dead = 0
    for row in tallies.jobs:
        if row.dead:
            dead += row.count
            continue
        made = (row.oldest.int >> 80) / 1000  # a UUIDv7 begins with 48 bits of milliseconds since 1970
        count[row.stage.value] = float(row.count)
        overdue[row.stage.value] = float(row.overdue)
        oldest[row.stage.value] = max(0.0, tallies.now.timestamp() - made)
    yield _by("frostbyte_jobs_open_count", "Open jobs", "stage", count)
    yield _by("frostbyte_jobs_oldest_seconds", "Age of the oldest open job", "stage", oldest)
    yield _by("frostbyte_jobs_overdue_count", "Jobs whose worker let its lease run out", "stage", overdue)
    yield _one("frostbyte_jobs_dead_count", "Jobs that an operator has to decide", dead)


def _documents(tallies: Tallies) -> Iterable[Metric]:
    states, waiting = dict.fromkeys((state.value for state in State), 0.0), dict[str, float]()
    unscanned = 0
    for row in tallies.documents:
        states[row.state.value] += row.count
        unscanned += row.count if row.unscanned else 0
        if row.state is State.WAITING:
            waiting[row.code] = waiting.get(row.code, 0.0) + row.count
    yield _by("frostbyte_documents_stored_count", "Documents", "state", states)
    yield _by("frostbyte_documents_waiting_count", "Documents that wait, by why", "code", waiting)
    yield _one("frostbyte_documents_unscanned_count", "Documents that no scanner has seen", unscanned)


def _audit(tallies: Tallies) -> Iterable[Metric]:
    unsigned = tallies.log_size - tallies.signed
    never = math.inf if unsigned else 0.0
    yield _one("frostbyte_audit_checkpoint_events", "Events under a signature", tallies.signed)
    yield _one("frostbyte_audit_unsigned_events", "Numbered events that no signature covers yet", unsigned)
    waits = _age(tallies, tallies.unnumbered_since, 0.0)
    yield _one("frostbyte_audit_unnumbered_seconds", "Age of the oldest event without a number", waits)
    signed = _age(tallies, tallies.checkpoint_at, never)
    yield _one("frostbyte_audit_checkpoint_seconds", "Age of the newest checkpoint", signed)


def _age(tallies: Tallies, moment: datetime | None, never: float) -> float:
    return never if moment is None else max(0.0, (tallies.now - moment).total_seconds())


def _hints(watch: Watch) -> Iterable[Metric]:
    if watch.hints is not None:
        waiting = {stage.value: float(count) for stage, count in watch.waiting_hints.items()}
        yield _by("frostbyte_queue_hints_count", "Hints that no worker has taken", "stage", waiting)


def _keeping(tallies: Tallies) -> Iterable[Metric]:
    yield _one("frostbyte_documents_holds_count", "Legal holds in force", tallies.holds)
    since = _age(tallies, tallies.retained_at, math.nan)
    yield _one("frostbyte_documents_retention_seconds", "Since retention last ended; NaN before the first run", since)
    yield _one(
        "frostbyte_plane_clock_doubted_bool", "1 while nothing expires for a doubted clock", tallies.clock_doubted
    )


def _signatures(tallies: Tallies) -> Iterable[Metric]:
    signatures = tallies.signatures
    age = _age(tallies, signatures.made_at, math.nan)
    yield _one("frostbyte_plane_signatures_seconds", "Age of the oldest signatures; NaN where nobody knows", age)
    if signatures.limit_days:
        limit = signatures.limit_days * 86_400.0
        yield _one("frostbyte_plane_signatures_limit_seconds", "The tenant's limit of that age", limit)
    refused = signatures.refusal is not None
    yield _one("frostbyte_plane_intake_refused_bool", "1 if no uploads are taken, for the age of signatures", refused)


def attach(plane: Plane) -> Meters:
    """The meters of a plane: its gauges registered, its sequencer heard."""
    meters = Meters()
    meters.registry.register(PlaneGauges(plane))
    plane.sequencer.told = meters.ended
    return meters
