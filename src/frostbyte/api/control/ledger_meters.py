"""Numbers about the ledger. No tenant's name is a label: the API says which one it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frostbyte.bootstrap.ledger import Ledger
from frostbyte.control_plane.ledger.follow import ALERTS
from frostbyte.control_plane.ledger.records import Finding
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

BEHIND_SECONDS: Final = 60.0
"""A log that the ledger has not held whole for so long counts as behind: six pulls were in vain."""


class LedgerMeters(Collector):
    """Asked whenever metrics are."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The families; those that need the database are left out while it does not answer."""
        active = {item.plane.tenant_id for item in self._ledger.follower.standings() if item.plane.active}
        lags = [lag.seconds for name, lag in self._ledger.lags().items() if name in active]
        known = [seconds for seconds in lags if seconds is not None]
        behind = sum(seconds is None or seconds > BEHIND_SECONDS for seconds in lags)
        yield _one("frostbyte_ledger_followed_count", "Logs that are followed", len(active))
        yield _one("frostbyte_ledger_behind_count", "Active logs not held whole for more than a minute", behind)
        yield _one(
            "frostbyte_ledger_lag_seconds", "Longest time since an active log was held whole", max(known, default=0.0)
        )
        yield _one(
            "frostbyte_ledger_failing_bool", "Whether following itself fails", bool(self._ledger.follower.trouble)
        )
        try:
            with self._ledger.store.unit_of_work() as uow:
                alerts = uow.alerts(open_only=True, limit=ALERTS)
        except FrostbyteError:
            return
        found = GaugeMetricFamily("frostbyte_ledger_findings_count", "Open alerts", labels=["finding"])
        for finding in Finding:
            found.add_metric([finding.value], sum(item.row.finding is finding for item in alerts))
        yield found


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
