"""Numbers about the control plane's own backups; tenants' are among the reasons of their health."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frostbyte.control_plane.backup.keeper import Keeper
from frostbyte.kernel.clock import Clock


class BackupMeters(Collector):
    """Asked whenever metrics are."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self._keeper, self._clock = keeper, clock

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: collecting is cheap."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics; no age before the first good one since the start."""
        standing = self._keeper.standing
        yield _one("frostbyte_control_backup_on_bool", "Whether a place for backups was named", standing.on)
        yield _one(
            "frostbyte_control_backup_failed_count", "Backups that failed since the last good one", standing.failed
        )
        if standing.good_at is not None:
            age = (self._clock.now() - standing.good_at).total_seconds()
            yield _one("frostbyte_control_backup_age_seconds", "Since the state that the last good one holds", age)


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
