"""The kill-switch's wiring: what tells planes, what shuts and opens the edge, and the view of every tenant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from frostbyte.control_plane.killswitch.ports import Edge, HostsOf, Sign
from frostbyte.control_plane.killswitch.pusher import Pusher
from frostbyte.control_plane.killswitch.roster import Roster
from frostbyte.control_plane.killswitch.signing import DirectiveSigner
from frostbyte.control_plane.killswitch.stored import StoredAlarms, StoredConfigs, StoredStandings
from frostbyte.control_plane.killswitch.switch import LastPull, Switch
from frostbyte.control_plane.registry.operations import Hook, Operations
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import OperationKind
from frostbyte.control_plane.watch.view import Channels, Lag, Sources, TenantWatch
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.ports.signing_keys import SigningKeyStore


@dataclass(frozen=True, kw_only=True)
class Around:
    """What the kill-switch is put between.

    Args:
        edge: the edge's files.
        channels: the ways to planes.
        sign: signs what planes are told.
        last_pull: pulls a tenant's log to its end into the ledger.
        hosts: makes and takes away tenants' hosts; None where all planes are attached by hand.
        through_edge: HTTP status of a tenant's /health through the edge; 0 where nothing answers.
        lags: how far the ledger is behind, by tenant.
        findings: codes of the ledger's open alerts, by tenant.
        ends: when the first of the certificates ends that are kept here for a tenant; None for none.
    """

    edge: Edge
    channels: Channels
    sign: Sign
    last_pull: LastPull
    hosts: HostsOf | None = None
    through_edge: Callable[[str], int]
    lags: Callable[[], Mapping[str, Lag]]
    findings: Callable[[], Mapping[str, tuple[str, ...]]]
    ends: Callable[[str], datetime | None] = lambda _: None


def directives(keys: SigningKeyStore, witness_key: str, clock: Clock) -> Sign:
    """Signs what planes are told, and names the keys that they are to believe: those that are accepted now.

    While one key takes over from another the older one signs, for every plane knows it (killswitch/hearing.py).

    Args:
        keys: of the environment.
        witness_key: verifier key of the ledger; '' for none.
    """
    return DirectiveSigner(
        lambda: keys.keys().anchor, lambda: tuple(str(key) for key in keys.keys().accepted), witness_key, clock
    )


class Switching:
    """Everything together. `begin` before anything is answered, `loops` from then on."""

    def __init__(self, unit_of_work: RegistryFactory, operations: Operations, clock: Clock, around: Around) -> None:
        self.roster = Roster()
        self.alarms = StoredAlarms(unit_of_work, clock)
        self.pusher = Pusher(
            self.roster,
            channels=around.channels,
            sign=around.sign,
            configs=StoredConfigs(unit_of_work),
            standings=StoredStandings(unit_of_work),
            alarms=self.alarms,
            clock=clock,
            heard=lambda tenant_id: self.switch.heard(tenant_id),
        )
        self.switch = Switch(
            operations,
            unit_of_work,
            roster=self.roster,
            pusher=self.pusher,
            edge=around.edge,
            channels=around.channels,
            last_pull=around.last_pull,
            hosts=around.hosts,
        )
        self._findings = around.findings
        self.watch = TenantWatch(
            unit_of_work,
            Sources(
                edge=around.through_edge,
                channels=around.channels,
                lags=around.lags,
                alerts=self.alerts,
                ends=around.ends,
            ),
            clock,
        )

    def alerts(self) -> dict[str, tuple[str, ...]]:
        """Codes of all that is open, by tenant: alarms about standings and findings about logs."""
        alarms, findings = self.alarms.ringing(), self._findings()
        return {name: (*alarms.get(name, ()), *findings.get(name, ())) for name in {*alarms, *findings}}

    def begin(self) -> None:
        """Shut the edge of everybody who must not be reached, then bring the rest of it to what the registry says.

        Raises:
            Unavailable: `database_unavailable`, `edge_unwritable`.
        """
        self.switch.recover()

    @property
    def hooks(self) -> dict[OperationKind, Hook]:
        """Who carries operations out."""
        return dict.fromkeys(OperationKind, self.switch.carry)

    @property
    def loops(self) -> dict[str, Callable[[threading.Event], None]]:
        """What runs all the time, by name."""
        return {"pusher": self.pusher.run, "switch": self.switch.run, "tenants": self.watch.run}
