"""A kill-switch with planes in memory, for tests: all is real but the wire, the edge's files, mostly the database."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import msgspec

from control.registry_rows import config, prepared, tenant
from frostbyte.adapters.channel.memory import MemoryPlane
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.control_plane.killswitch.holding import Holding
from frostbyte.control_plane.killswitch.orders import Gate
from frostbyte.control_plane.killswitch.pusher import Pusher
from frostbyte.control_plane.killswitch.roster import Entry, Roster
from frostbyte.control_plane.killswitch.signing import DirectiveSigner
from frostbyte.control_plane.killswitch.stored import StoredAlarms, StoredConfigs, StoredStandings
from frostbyte.control_plane.killswitch.switch import Switch
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import EndpointsRow, OperationRow, TenantRow
from frostbyte.control_plane.registry.states import Failed, Move, TenantState
from frostbyte.kernel.errors import FrostbyteError, Unavailable
from frostbyte.kernel.signing import SigningKey
from frostbyte.kernel.tenancy import TenantConfig
from frostbyte.kernel.verifying_keys import PinnedKeys

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = SigningKey(bytes([7]) * 32)
UNREACHABLE = Unavailable("plane_unreachable", "No answer.", "")


def tenant_row(
    state: TenantState, failed: Failed = Failed.NOTHING, *, tenant_id: str = "acme", standing_version: int = 1
) -> TenantRow:
    """A tenant that stands there."""
    return tenant(tenant_id, state=state, failed=failed, version=2, standing_version=standing_version)


class Inline(Executor):
    """Does at once what it is given: no test waits for a thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class MemoryEdge:
    """See killswitch.ports.Edge. `trouble` is raised in place of writing; `history` is every change in order."""

    def __init__(self) -> None:
        self.gates: dict[str, Gate] = {}
        self.history: list[tuple[str, str]] = []
        self.trouble: FrostbyteError | None = None
        self._lock = threading.Lock()

    def show(self, tenant: TenantRow, endpoints: EndpointsRow | None, gate: Gate) -> bool:
        with self._lock:
            if self.trouble is not None:
                raise self.trouble
            if self.gates.get(tenant.tenant_id, Gate.ABSENT) is gate:
                return False
            self.history.append((tenant.tenant_id, gate.value))
            if gate is Gate.ABSENT:
                self.gates.pop(tenant.tenant_id, None)
            else:
                self.gates[tenant.tenant_id] = gate
            return True

    def drop(self, tenant_id: str) -> None:
        self.gates.pop(tenant_id, None)

    def names(self) -> frozenset[str]:
        return frozenset(self.gates)


@dataclass
class World:
    """Everything that survives the control plane's process, and one such process over it (`start` makes another)."""

    registry: Any = field(default_factory=MemoryRegistry)
    edge: MemoryEdge = field(default_factory=MemoryEdge)
    planes: dict[str, Any] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    pulled: list[str] = field(default_factory=list)
    ledger_whole: bool = True
    log_keys: dict[str, str] = field(default_factory=dict)
    """Of the planes that tenants were given, whoever answers in their place later."""
    provisioning: Any = None
    """Makes and takes away tenants' hosts; planes are attached by hand without it."""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A fresh process: what was only in memory is gone."""
        self.roster = Roster()
        self.operations = Operations(
            self.registry.unit_of_work,
            self.clock,
            self.provisioning,
            Holding(self.registry.unit_of_work, lambda endpoints: self.planes[endpoints.channel_url]),
        )
        self.alarms = StoredAlarms(self.registry.unit_of_work, self.clock)
        self.pusher = Pusher(
            self.roster,
            channels=lambda endpoints: self.planes[endpoints.channel_url],
            sign=DirectiveSigner(lambda: KEY, lambda: (str(KEY.public),), "", self.clock),
            configs=StoredConfigs(self.registry.unit_of_work),
            standings=StoredStandings(self.registry.unit_of_work),
            alarms=self.alarms,
            clock=self.clock,
            heard=lambda tenant_id: self.switch.heard(tenant_id),
            draw=lambda: 0.5,
        )
        self.switch = Switch(
            self.operations,
            self.registry.unit_of_work,
            roster=self.roster,
            pusher=self.pusher,
            edge=self.edge,
            channels=lambda endpoints: self.planes[endpoints.channel_url],
            last_pull=self._pull,
            hosts=self.provisioning,
            drivers=Inline(),
        )
        self.switch.recover()

    def _pull(self, tenant_id: str) -> bool:
        self.pulled.append(tenant_id)
        return self.ledger_whole

    def tenants(self, *names: str) -> None:
        """Enter tenants, each with a plane that answers."""
        prepared(self.registry, *(tenant(name, octet=number + 1) for number, name in enumerate(names)))
        with self.registry.unit_of_work() as uow:
            for name in names:
                uow.configs.add(config(tenant_id=name, values=msgspec.to_builtins(TenantConfig())))
            uow.commit()
        for name in names:
            plane = self.planes[self.url(name)] = MemoryPlane(name, PinnedKeys((KEY.public,)))
            self.log_keys[name] = plane.log_key

    @staticmethod
    def url(name: str) -> str:
        """Where a tenant's channel is registered."""
        return f"https://127.0.0.1:{20_000 + crc32(name.encode()) % 40_000}"

    def plane(self, name: str) -> Any:
        """A tenant's plane."""
        return self.planes[self.url(name)]

    def attach(self, name: str) -> OperationRow:
        """Attach it, to the end."""
        operation = self.attaching(name)
        self.settle()
        return self.operations.show(operation.operation_id)

    def attaching(self, name: str) -> OperationRow:
        """Begin to attach it."""
        return self._carried(
            self.operations.attach(
                name,
                gateway_url="http://127.0.0.1:8080",
                channel_url=self.url(name),
                ca_pem="",
                log_key=self.log_keys[name],
                actor="alice",
                reason="requested",
            )
        )

    def do(self, move: Move, name: str, *, actor: str = "bob", reason: str = "incident", **more: Any) -> OperationRow:
        """What the API does with an operator's command."""
        more.setdefault("confirmation", name)
        return self._carried(self.operations.begin(name, move, actor=actor, reason=reason, **more))

    def _carried(self, operation: OperationRow) -> OperationRow:
        self.switch.carry(operation)
        return self.operations.show(operation.operation_id)

    def settle(self, rounds: int = 4) -> None:
        """Let everything happen that can happen without time passing: exchanges that are due, steps, the edge."""
        for _ in range(rounds):
            for entry in self.roster.all():
                if entry.told and (entry.pace.tried_version < entry.tenant.standing_version or not entry.acknowledged):
                    self.pusher.exchange(entry)
            self.switch.turn()

    def entry(self, name: str) -> Entry:
        """What the roster knows."""
        found = self.roster.get(name)
        assert found is not None
        return found

    def tenant(self, name: str) -> TenantRow:
        """As the registry has it."""
        with self.registry.unit_of_work() as uow:
            row = uow.tenants.get(name)
        assert row is not None
        return row

    def steps(self, operation: OperationRow) -> list[str]:
        """The steps of an operation: `name`, or `name:code` where it failed."""
        return [
            row.step + (f":{row.code}" if row.code else "") for row in self.operations.steps(operation.operation_id)
        ]

    def events(self, name: str) -> list[str]:
        """Types of the tenant's audit events, in order."""
        with self.registry.unit_of_work() as uow:
            return [event.type for event in uow.audit.unsequenced(1000) if event.resource_id == name]
