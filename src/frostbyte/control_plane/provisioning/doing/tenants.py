"""What a tenant has besides servers: secrets, certificates, records, and its place in the registry."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from frostbyte.control_plane.provisioning.doing.owned import different, not_ours, remains
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.ports import Certificates, Dns, ProvisioningFactory, Renderer, Vault
from frostbyte.control_plane.provisioning.receipts import Destroying
from frostbyte.control_plane.provisioning.resources import Found, Owner, WantedRecord
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.control_plane.registry.addresses import checked_endpoints
from frostbyte.control_plane.registry.changes import ITSELF, changed, found
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, NotFound, Unavailable

ENTROPY: Final = 32
"""Random bytes of a generated secret."""
LogKey = Callable[[EndpointsRow], str]
"""Asks a plane over its channel for the verifier key of its audit log. Raises Unavailable."""


class Secrets:
    """Generated and sealed before any host needs them; what is there stays. Verified: the sealed file opens."""

    def __init__(
        self,
        vault: Vault,
        renderer: Renderer,
        destroying: Destroying,
        served: Callable[[Owner], bool] = lambda owner: False,
    ) -> None:
        self._vault, self._renderer, self._destroying, self._served = vault, renderer, destroying, served

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None  # `do` keeps what is there

    def do(self, step: Step, context: Context) -> Outcome:
        if self._served(context.owner) and not self._vault.open(context.owner):
            raise Conflict(
                "tenant_keys_lost",
                "The tenant was in service, and its keys and passwords are not in the vault: others would shut its "
                "plane out of its own documents.",
                "Put its folder in the vault back from a backup (docs/backups.md), or export the tenant by its plane.",
            )
        names = self._renderer.secrets()
        self._vault.keep(context.owner, {name: secrets.token_urlsafe(ENTROPY) for name in names})
        return Outcome(facts={"recipients": list(self._vault.recipients(context.owner)), "secrets": len(names)})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        if not self._vault.sealed(context.owner):
            raise Unavailable(
                "vault_damaged", "The tenant's sealed secrets do not open.", "Look at the control host's vault."
            )

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        self._destroying.keys(context.owner, context.run_id)


class CertificatesDoing:
    """The tenant's authority and what it signs for its hosts. Verified: the certificates are for these addresses."""

    def __init__(self, certificates: Certificates, renderer: Renderer, destroying: Destroying) -> None:
        self._certificates, self._renderer, self._destroying = certificates, renderer, destroying

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        hosts: Mapping[str, Mapping[str, str]] = step.spec["hosts"]
        doors = [host["server"] for host in hosts.values() if host["server"]]
        public = context.outcome(doors[0]).facts["address"] if doors else ""
        addresses = {part: host["address"] for part, host in hosts.items()}
        servers = {name: list(names) for name, names in self._renderer.certificates(addresses, public).items()}
        self._certificates.servers(context.owner, servers)
        return Outcome(facts={"servers": servers})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        servers = outcome.facts["servers"]
        if self._certificates.servers(context.owner, servers).keys() != servers.keys():
            raise different(step, "set of certificates")

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        self._destroying.certificates(context.owner, context.run_id)


class Record:
    """A DNS record. Verified by what the zone's own name servers answer, not by what the provider shows.

    Args:
        dns: the provider of the owner's zone.
        told: of other steps.
        zone: where a record lies that nobody planned (`Undoing.late`), and of which only its name is known.
    """

    def __init__(self, dns: Dns, told: Told, zone: str) -> None:
        self._dns, self._told, self._zone = dns, told, zone

    def find(self, step: Step, context: Context) -> Outcome | None:
        there = self._there(step)
        if there is None:
            return None
        if not context.owner.owns(there.labels):
            raise not_ours(step)
        if sorted(there.facts["values"]) != sorted(self._values(step, context)):
            return None  # `do` replaces them
        return Outcome(resource_id=there.resource_id, facts=self._facts(there), adopted=True)

    def do(self, step: Step, context: Context) -> Outcome:
        spec = step.spec
        there = self._dns.put(
            WantedRecord(
                zone=spec["zone"],
                name=spec["name"],
                type=spec["type"],
                values=self._values(step, context),
                labels=context.owner.labels(context.run_id, step.key),
                ttl=spec["ttl"],
            )
        )
        return Outcome(resource_id=there.resource_id, facts=self._facts(there))

    def lasts(self, step: Step, outcome: Outcome, context: Context) -> bool:
        there = self._there(step)
        return there is not None and sorted(there.facts["values"]) == sorted(outcome.facts["values"])

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        spec = step.spec
        if sorted(self._dns.answer(spec["zone"], spec["name"], spec["type"])) != sorted(outcome.facts["values"]):
            raise Unavailable(
                "dns_not_yet",
                f"The name servers of {spec['zone']} do not answer with the new record yet.",
                "It is asked again; a zone of a slow provider may take minutes.",
            )

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        there = self._there(step)
        if there is None:
            return
        if not context.owner.owns(there.labels):
            if outcome is None:
                return
            raise not_ours(step)
        self._dns.remove(*self._which(step))
        if self._there(step) is not None:
            raise remains(step)

    def change(self, step: Step, outcome: Outcome, context: Context) -> Outcome | None:
        """It is replaced in one go: nobody finds no record in between."""
        return self.do(step, context)

    def _there(self, step: Step) -> Found | None:
        return self._dns.find(*self._which(step))

    def _which(self, step: Step) -> tuple[str, str, str]:
        """Zone, name below it, and type."""
        if step.spec:
            return step.spec["zone"], step.spec["name"], step.spec["type"]
        host, _, kind = step.name.rpartition("/")
        return self._zone, "@" if host == self._zone else host.removesuffix(f".{self._zone}"), kind

    def _values(self, step: Step, context: Context) -> tuple[str, ...]:
        return self._told.addresses(step.spec["values"], context)

    @staticmethod
    def _facts(there: Found) -> dict[str, Any]:
        return {"values": list(there.facts["values"])}


class Endpoints:
    """How the plane is reached, registered for the kill-switch, which takes it into service after the run.

    The log's key is asked of the plane itself, over a channel that only the tenant's authority can have vouched for.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, certificates: Certificates, log_key: LogKey, clock: Clock
    ) -> None:
        self._unit_of_work, self._certificates = unit_of_work, certificates
        self._log_key, self._clock = log_key, clock

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def do(self, step: Step, context: Context) -> Outcome:
        spec, tenant = step.spec, context.owner.tenant_id
        address = context.outcome(spec["server"]).facts["address"]
        way = EndpointsRow(
            tenant_id=tenant,
            gateway_url=f"https://{address}:{spec['gateway_port']}",
            channel_url=f"https://{address}:{spec['channel_port']}",
            ca_pem=self._certificates.authority(context.owner),
            log_key="",
            registered_at=self._clock.now(),
        )
        row = checked_endpoints(replace(way, log_key=self._log_key(way)))
        with self._unit_of_work() as uow:
            before = uow.endpoints.get(tenant)
            if before is None or replace(before, registered_at=row.registered_at) != row:
                operation = uow.operations.get(context.run_id)
                actor, reason = (operation.actor, operation.reason) if operation else (ITSELF, "provision")
                held = found(uow, tenant, lock=True)
                uow.endpoints.put(row)
                details = {"reason": reason, "status": "changed"}
                changed(uow, self._clock, held, EventType.TENANT_ENDPOINTS_SET, actor, details)
                uow.commit()
        return Outcome(facts={"gateway_url": row.gateway_url, "channel_url": row.channel_url, "log_key": row.log_key})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        with self._unit_of_work() as uow:
            row = uow.endpoints.get(context.owner.tenant_id)
        if row is None or row.log_key != outcome.facts["log_key"]:
            raise NotFound("endpoints_missing", "The tenant's endpoints are not in the registry.", "Try again.")

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return  # the registry keeps how a plane was reached; the next attempt replaces it
