"""A tenant whose one host is a process of this machine: a real plane with a database, certificates and a channel."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace

from control.registry_rows import change_tenant, prepared, tenant
from control.test_journal_contract import audited, run_row, write
from frostbyte.adapters.hosts.local import LocalHosts, programs
from frostbyte.adapters.hosts.memory import Machine
from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules as queue_rights
from frostbyte.adapters.registry.memory import MemoryRegistry
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.secrets.token_keys import FileTokenKeys
from frostbyte.adapters.vault.memory import MemoryVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.bootstrap.channels import Channels
from frostbyte.bootstrap.local_hosts import usual
from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.desired import standing_release
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunState
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import EndpointsRow, OperationKind, OperationRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.upkeep.foreman import Foreman
from frostbyte.control_plane.upkeep.plane_hosts import PlaneHosts
from frostbyte.control_plane.upkeep.updating import Updating
from frostbyte.deploy.authority import Client
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.clock import SystemClock
from hosts.contract import public_key
from hosts.test_memory_hosts import user_data
from provisioning.planning import GROUND, NOW, carried_out, catalogue, wanted
from upkeep.updated_tenant import BASE, NEVER, OWNER

ADDRESS = "127.64.77.9"
RENDERER = HostRenderer(queue_rights, token)
FIRST, THEN = "0.9", "0.10"
"""Versions by name: on a host that is a folder, one and the same program runs for both."""


class LocalSite:
    """A control plane with one tenant on one host."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.store = folder, SystemClock(), MemoryRegistry()
        self.authorities = Authorities(folder / "authorities")
        self.channels = Channels(self.authorities)
        self.key = public_key()
        machine = Machine(machine_id="1", user_data=user_data(self.key))
        self.hosts = LocalHosts(lambda host: machine, folder=folder / "hosts", programs=programs(""))
        self.world = self._world()
        self._stand()
        operations = Operations(self.store.unit_of_work, self.clock)
        duty = Updating(self.store.unit_of_work, self.clock, lambda _: self.world, self.channels, usual, own=THEN)
        self.foreman = Foreman(self.store.unit_of_work, operations, self.clock, (duty,))

    def _world(self) -> World:
        nothing: Any = None
        FileSecrets(self.folder / "keys")
        keys = FileTokenKeys(self.folder / "keys", self.clock)
        vault = MemoryVault()
        vault.seal(OWNER, {name: f"{number:0>43}" for number, name in enumerate(RENDERER.secrets())})
        return World(
            cloud=nothing,
            dns=nothing,
            zone="frostbyte.io",
            hosts=self.hosts,
            vault=vault,
            renderer=RENDERER,
            certificates=HostCertificates(self.authorities),
            releases=usual,
            unit_of_work=self.store.unit_of_work,
            clock=self.clock,
            seed=bytes(32),
            people=(),
            control_keys=lambda: "".join(f"{key}\n" for key in keys.keys().accepted),
            log_key=lambda way: "",
            scripts=Scripts(install="", seal=""),
            images=self.folder / "images",
        )

    def _stand(self) -> None:
        (row,) = prepared(self.store, tenant(octet=7))
        way = EndpointsRow(
            tenant_id="acme",
            gateway_url=f"https://{ADDRESS}:8080",
            channel_url=f"https://{ADDRESS}:8443",
            ca_pem=self.authorities.ca_pem("acme"),
            log_key="",
            registered_at=NOW,
        )
        for state in (TenantState.PROVISIONING, TenantState.ACTIVE):
            with self.store.unit_of_work() as uow:
                row = change_tenant(uow, row, state=state)
                uow.endpoints.put(way)
                uow.commit()
        desired = wanted({"shape": "small", "release": FIRST}, on=GROUND)
        made = [
            replace(entry, project_id="north", facts={**entry.facts, **self._facts(entry)})
            for entry in carried_out(plan(desired, [], [], catalogue(), NOW))
        ]
        made = [replace(e, spec={**e.spec, "release": FIRST}) if "release" in e.spec else e for e in made]
        settled = next(entry for entry in made if entry.key == "settle.single")
        base = replace(settled, tenant_id="", key="settle.bastion")
        for owner, entries in ((BASE, [base]), (OWNER, made)):
            run = run_row(owner, request={})
            write(self.store, lambda uow, run=run: uow.journal.begin(run))  # type: ignore[misc]
            for entry in entries:
                for state in (EntryState.INTENDED, EntryState.DONE):
                    said = replace(entry, run_id=run.run_id, state=state)
                    write(self.store, lambda uow, said=said: audited(uow, said))  # type: ignore[misc]
            ended = replace(run, state=RunState.SUCCEEDED, ended_at=NOW)
            write(self.store, lambda uow, ended=ended: uow.journal.put_run(ended))  # type: ignore[misc]
        hosts = PlaneHosts(self.world, OWNER, NEVER)
        hosts.give(FIRST)
        hosts.start(FIRST)

    def _facts(self, entry: EntryRow) -> dict[str, Any]:
        if entry.action == Action.SETTLE:
            return {"name": "fb-acme-single", "address": ADDRESS, "host_key": self.key}
        servers = RENDERER.certificates({"single": ADDRESS}, ADDRESS)
        return {"servers": {n: list(a) for n, a in servers.items()}} if entry.action == Action.CERTIFICATES else {}

    # -- what tests do -------------------------------------------------------------------------------------------------

    def updated(self, to: str = THEN) -> OperationRow:
        """To its end."""
        operation = self.foreman.begin("acme", OperationKind.UPDATE, {"to": to}, actor="ann", reason="requested")
        self.foreman.turn(NEVER)
        with self.store.unit_of_work() as uow:
            found = uow.operations.get(operation.operation_id)
        assert found is not None
        return found

    def seconds(self, operation: OperationRow) -> dict[str, float]:
        """How long each stage took."""
        with self.store.unit_of_work() as uow:
            rows = uow.operations.steps(operation.operation_id)
        moments = [operation.started_at, *(row.at for row in rows)]
        return {row.step: (row.at - before).total_seconds() for before, row in zip(moments, rows, strict=False)}

    def channel(self) -> Any:
        """To the plane, as the control plane has it."""
        with self.store.unit_of_work() as uow:
            row = uow.endpoints.get("acme")
        assert row is not None
        return self.channels(row)

    @property
    def journal(self) -> str:
        """The version that the journal says."""
        with self.store.unit_of_work() as uow:
            return standing_release(uow.journal.entries(OWNER))

    def client(self) -> httpx.Client:
        """As the edge asks the gateway for somebody of the tenant."""
        held = self.authorities.client("acme", Client.EDGE)
        trusted = ssl.create_default_context(cadata=self.authorities.ca_pem("acme"))
        trusted.load_cert_chain(held.certificate, held.key)
        (file,) = (self.folder / "hosts").glob("*/data/token")
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
        return httpx.Client(
            base_url=f"https://{ADDRESS}:8080", verify=trusted, headers=headers, timeout=30, trust_env=False
        )

    def close(self) -> None:
        self.channels.close()
        self.hosts.end()


@dataclass
class Refusals:
    """What somebody got who asks without a pause: seconds from the first refusal to the end of the last.

    Attributes:
        asked: how many times.
        refused: answers other than `good`, and none.
        slowest: seconds of a good answer.
    """

    good: int
    asked: int = 0
    refused: int = 0
    first: float = 0.0
    last: float = 0.0
    slowest: float = 0.0
    codes: set[str] = field(default_factory=set)

    @property
    def seconds(self) -> float:
        return self.last - self.first

    def note(self, began: float, code: str) -> None:
        self.asked += 1
        ended = time.monotonic()
        if code == str(self.good):
            self.slowest = max(self.slowest, ended - began)
            return
        self.refused += 1
        self.first = self.first or began
        self.last = ended
        self.codes.add(code)


@contextmanager
def asking(site: LocalSite, method: str, path: str, good: int, **what: Any) -> Iterator[Refusals]:
    """Somebody asks ten times a second as long as the block lasts."""
    found, stop = Refusals(good), threading.Event()

    def ask() -> None:
        client = site.client()
        while not stop.wait(0.1):
            began = time.monotonic()
            try:
                answer = client.request(method, path, **what)
                code = str(answer.status_code)
                if code == "503":
                    code = f"503 {answer.json()['code']}"
            except (httpx.HTTPError, ValueError) as error:
                code = type(error).__name__
            found.note(began, code)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(40)
