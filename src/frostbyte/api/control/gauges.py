"""The control plane's own metrics, made anew for each scrape. Nothing waits for a plane, and no tenant is a label."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from frostbyte.bootstrap.switching import Switching
from frostbyte.control_plane.registry.states import TenantState


class ControlGauges(Collector):
    """What is so now."""

    def __init__(self, switching: Switching) -> None:
        self._switching = switching

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: collecting is cheap."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        pusher, switch, watch = self._switching.pusher, self._switching.switch, self._switching.watch
        entries = [entry for entry in self._switching.roster.all() if entry.told]
        silent = sum(bool(entry.standing.code) for entry in entries)
        yield _one("frostbyte_control_planes_told_count", "Planes that are told what they may do", len(entries))
        yield _one("frostbyte_control_planes_silent_count", "Of these: whose last exchange failed", silent)
        yield _one(
            "frostbyte_control_pusher_late_seconds",
            "How long the most overdue plane waits for a thread",
            pusher.late_seconds,
        )
        yield _one(
            "frostbyte_control_edge_unwritten_count",
            "Tenants whose edge file could not be written",
            len(switch.edge_trouble),
        )
        age = watch.age_seconds()
        if age is not None:
            yield _one("frostbyte_control_health_age_seconds", "Age of the view of all tenants", age)
        states = watch.states()
        family = GaugeMetricFamily("frostbyte_control_tenants_count", "Tenants", labels=["state"])
        for state in TenantState:
            family.add_metric([state.value], states.get(state, 0))
        yield family
        reasons = GaugeMetricFamily(
            "frostbyte_control_reasons_count", "Tenants that are not simply well, by why", labels=["level", "code"]
        )
        for (level, code), count in sorted(watch.counts().items()):
            reasons.add_metric([level.word, code], count)
        yield reasons


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
