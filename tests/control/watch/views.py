"""A view over planes in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from control.killswitch.planes import KEY, World
from frostbyte.bootstrap.switching import Around, Switching
from frostbyte.control_plane.killswitch.signing import DirectiveSigner
from frostbyte.control_plane.watch.view import Lag


@dataclass
class Looking:
    """Everything that a look asks, and what it saw."""

    world: World = field(default_factory=World)
    edge: dict[str, int] = field(default_factory=dict)
    lags: dict[str, Lag] = field(default_factory=dict)
    findings: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        world = self.world
        self.switching = Switching(
            world.registry.unit_of_work,
            world.operations,
            world.clock,
            Around(
                edge=world.edge,
                channels=lambda endpoints: world.planes[endpoints.channel_url],
                sign=DirectiveSigner(lambda: KEY, lambda: (str(KEY.public),), "", world.clock),
                last_pull=lambda tenant_id: True,
                through_edge=lambda tenant_id: self.edge.get(tenant_id, 0),
                lags=lambda: self.lags,
                findings=lambda: self.findings,
            ),
        )

    def look(self) -> dict[str, list[str]]:
        """Look once: the codes of each tenant's reasons."""
        with ThreadPoolExecutor(2) as threads:
            self.switching.watch.look(threads)
        return {
            item.tenant_id: [reason.code for reason in item.verdict.reasons] for item in self.switching.watch.tenants()
        }

    def metric(self, name: str) -> dict[tuple[str, ...], float]:
        """Values of a metric of the control plane by their labels."""
        from frostbyte.api.control.gauges import ControlGauges

        found: dict[Any, float] = {}
        for family in ControlGauges(self.switching).collect():
            if family.name == name:
                found = {tuple(sample.labels.values()): sample.value for sample in family.samples}
        return found
