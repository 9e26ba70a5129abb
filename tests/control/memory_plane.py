"""A control plane whose registry is in memory, as its HTTP clients see it; and hands that carry operations out."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from filelock import FileLock

from frostbyte.adapters.ledger.memory import MemoryLedger
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.api.control.app import create_app
from frostbyte.bootstrap.control import ControlPlane
from frostbyte.bootstrap.ledger import Ledger
from frostbyte.bootstrap.people import people
from frostbyte.control_plane.backup.daily import Daily
from frostbyte.control_plane.backup.keeper import Keeper
from frostbyte.control_plane.killswitch.hearing import checked
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.projects import Projects
from frostbyte.control_plane.registry.records import EndpointsRow, OperationKind, OperationRow
from frostbyte.control_plane.registry.tenants import Tenants
from frostbyte.control_plane.settings import load
from frostbyte.kernel.admission import Admission
from frostbyte.kernel.audit.checkpoint import Cosigner, Signer
from frostbyte.kernel.audit.sequencer import Sequencer
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.limits import Limiter
from frostbyte.kernel.rotation import Rotation
from frostbyte.kernel.tokens import Role, control_realm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette announces another client library; it is not ours to choose here
    from starlette.testclient import TestClient

ROOT = "/api/v1/admin"
STEPS = {
    OperationKind.PROVISION: ("plane_answered", "plane_acknowledged", "edge_opened"),
    OperationKind.SUSPEND: ("edge_closed", "plane_acknowledged"),
    OperationKind.RESUME: ("plane_acknowledged", "edge_opened"),
    OperationKind.DEPROVISION: ("edge_closed", "plane_closed", "ledger_pulled", "edge_removed"),
}


class Hands:
    """Carries operations out: at once, unless told to wait or to fail."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self.at_once = True
        self.fails = ""
        """The code with which the next one fails."""

    def carry(self, operation: OperationRow) -> None:
        """The hook of every kind."""
        if self.at_once and not operation.ended_at:
            self.finish(operation.operation_id)

    def finish(self, operation_id: UUID | str) -> None:
        """Do what is left of an operation."""
        row = self._operations.show(UUID(str(operation_id)))
        if row.ended_at is not None:
            return
        code, self.fails = self.fails, ""
        for step in STEPS[row.kind]:  # a newer operation may end this one in between: then it raises operation_ended
            self._operations.step(row.operation_id, step, code=code)
            if code:
                break
        self._operations.end(row.operation_id, code=code)


def nowhere(endpoints: EndpointsRow) -> Any:
    """The channel of a plane that nobody reaches."""
    raise Unavailable("plane_unreachable", "It does not answer.", "Look.")


def memory_plane(folder: Path, registry: Any = None) -> ControlPlane:
    """A control plane that is not started: without a database, or over the registry that is given."""
    settings = load({"FROSTBYTE_CONTROL_DATA_DIR": str(folder)})
    clock, store = SystemClock(), registry or MemoryRegistry()
    secrets = FileSecrets(settings.keys_folder)
    keys, realm = FileTokenKeys(settings.keys_folder, clock), control_realm(settings.environment)
    signer = Signer(secrets.log_key().private_bytes_raw(), settings.log_origin)
    return ControlPlane(
        settings=settings,
        clock=clock,
        store=store,
        server=None,
        secrets=secrets,
        signer=signer,
        admission=Admission(keys.keys, realm, store.unit_of_work, clock, "control"),
        people=people(realm, keys.keys, store.unit_of_work, clock, owner="control", folder=settings.keys_folder),
        rotation=Rotation(keys, store.unit_of_work, clock, "control", checked(store.unit_of_work)),
        sequencer=Sequencer(store.unit_of_work, signer, clock),
        projects=Projects(store.unit_of_work, settings.environment, clock),
        tenants=Tenants(store.unit_of_work, clock),
        operations=Operations(store.unit_of_work, clock),
        findings=[],
        ledger=Ledger(MemoryLedger(), store.unit_of_work, nowhere, Cosigner(bytes(32), "test/ledger"), clock),
        lock=FileLock(str(folder / "control.lock")),
        backups=Keeper(store.unit_of_work, clock, None),
        daily=Daily(store.unit_of_work, settings.environment, clock, None, 24),
    )


class Admin:
    """The Admin API as its clients see it."""

    def __init__(self, control: ControlPlane, limiter: Limiter | None = None) -> None:
        self.control = control
        self.hands = Hands(control.operations)
        control.hooks.update(dict.fromkeys(OperationKind, self.hands.carry))
        self.app: FastAPI = create_app(control, limiter or Limiter({"admin": 10**6}))
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.everything = self.token(*Role)

    def token(self, *roles: Role, subject: str = "ann") -> str:
        """A token of the control plane."""
        return self.control.admission.tokens.mint(subject, frozenset(roles), timedelta(hours=1))[0]

    def call(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Any:
        """One request, with a token for everything unless another is named."""
        headers = {"Authorization": f"Bearer {token or self.everything}"} | dict(more.pop("headers", {}))
        return self.client.request(method, ROOT + path, headers=headers, **more)

    def made(self, path: str, body: Any, status: int = 202, **headers: str) -> dict[str, Any]:
        """What a POST made."""
        answer = self.call("POST", path, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()})
        assert answer.status_code == status, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def tenant(self, state: str = "PENDING") -> str:
        """A new tenant that was brought to a state."""
        tenant_id = f"t{uuid4().hex[:12]}"
        if all(row["project_id"] != "eu-1" for row in self.call("GET", "/projects").json()["projects"]):
            self.made("/projects", {"project_id": "eu-1"}, 201)
        self.made("/tenants", {"tenant_id": tenant_id, "project_id": "eu-1"}, 201)
        if state != "PENDING":
            self.made(f"/tenants/{tenant_id}/attach", attachment(tenant_id))
        if state == "SUSPENDED":
            self.made(f"/tenants/{tenant_id}/suspend", {"reason": "payment"})
        if state == "DEPROVISIONED":
            self.made(f"/tenants/{tenant_id}/deprovision", {"confirm": tenant_id})
        assert self.state(tenant_id) == state
        return tenant_id

    def state(self, tenant_id: str) -> str:
        """Where a tenant stands."""
        return str(self.call("GET", f"/tenants/{tenant_id}").json()["state"])


def attachment(tenant_id: str) -> dict[str, str]:
    """How a plane on this host would be reached; nobody listens there."""
    key = Signer(bytes(32), f"frostbyte/{tenant_id}/plane").verifier_key
    return {"gateway_url": "http://127.0.0.1:9", "channel_url": "https://127.0.0.1:9", "log_key": key}


def events(text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of a stream's blocks; comments are left out."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
