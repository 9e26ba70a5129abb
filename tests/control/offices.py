"""The use cases of the registry for tests, with what they ask for filled in."""

from __future__ import annotations

from typing import Any

from control.registry_rows import Registry
from frostbyte.adapters.memory.clock import ManualClock
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import OperationRow
from frostbyte.control_plane.registry.states import Move
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.records import EventRow


class Office:
    """The use cases over one store, and a project `north` where it is not there yet."""

    def __init__(self, store: Registry, *, prepare: bool = True) -> None:
        self.store = store
        self.clock = ManualClock()
        self.projects = Projects(store.unit_of_work, "production", self.clock)
        self.tenants = Tenants(store.unit_of_work, self.clock)
        self.operations = Operations(store.unit_of_work, self.clock)
        if prepare:
            self.projects.create("north", actor="alice")

    def events(self) -> list[EventRow]:
        with self.store.unit_of_work() as uow:
            return uow.audit.unsequenced(1000)

    def types(self) -> list[str]:
        return [event.type for event in self.events()]

    def attach(self, tenant_id: str = "acme", **values: Any) -> OperationRow:
        given: dict[str, Any] = {
            "gateway_url": "https://10.1.1.2:8080",
            "channel_url": "https://10.1.1.2:8443",
            "ca_pem": "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n",
            "log_key": log_key(f"frostbyte/{tenant_id}/plane"),
            "actor": "alice",
            "reason": "requested",
        }
        return self.operations.attach(tenant_id, **(given | values))

    def active(self, tenant_id: str = "acme") -> None:
        """A tenant in service."""
        self.tenants.create(tenant_id, "north", actor="alice")
        self.operations.end(self.attach(tenant_id).operation_id)

    def begin(self, move: Move, tenant_id: str = "acme", **values: Any) -> OperationRow:
        return self.operations.begin(tenant_id, move, **({"actor": "alice", "reason": "requested"} | values))


def log_key(origin: str) -> str:
    return Signer(bytes(32), origin).verifier_key
