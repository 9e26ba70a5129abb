"""Plans for tenants of the register: reads registry, journal and cloud, and lets plan.py decide. Touches nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.desired import (
    LOCATIONS,
    Ground,
    Request,
    desired_tenant,
    laid_over,
    standing_release,
)
from frostbyte.control_plane.provisioning.drift import Difference, drift
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState, RunRow, in_force
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.ports import Cloud, Dns, ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Plan
from frostbyte.control_plane.registry.changes import found
from frostbyte.control_plane.registry.records import TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.tenancy import config_from

Grounds = Callable[[str, Sequence[EntryRow]], Ground]
"""The ground of a project, from the journal of its base."""
_PAGE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan, and what it was made for: whoever carries it out keeps both."""

    plan: Plan
    request: Request


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What registry and journal say of a tenant."""

    tenant: TenantRow
    environment: str
    config: Mapping[str, Any]
    base: Sequence[EntryRow]
    entries: Sequence[EntryRow]
    runs: Sequence[RunRow]

    @property
    def owner(self) -> Owner:
        return Owner(environment=self.environment, project_id=self.tenant.project_id, tenant_id=self.tenant.tenant_id)


class Planner:
    """Makes plans and compares what is there with the journal.

    Args:
        unit_of_work: of registry and journal.
        clouds: the cloud of a project.
        dns: the provider of a project's zone.
        grounds: what a project's base has laid.
        clock: for what is announced to go away.
        locations: where servers may be if nobody says otherwise.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clouds: Callable[[str], Cloud],
        dns: Callable[[str], Dns],
        grounds: Grounds,
        clock: Clock,
        locations: tuple[str, ...] = LOCATIONS,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clouds = clouds
        self._dns = dns
        self._grounds = grounds
        self._clock = clock
        self._locations = locations

    def tenant(self, tenant_id: str, values: Mapping[str, Any] | None = None, *, octet: int | None = None) -> Planned:
        """The plan for a tenant.

        Args:
            values: what is asked for (desired.Request), laid over what was asked for last, or over the defaults.
            octet: what the caller takes the tenant's network to be; None where they do not say.

        Raises:
            NotFound: `tenant_not_found`.
            Invalid: `provision_request_invalid`.
            Conflict: `octet_disagrees`, `tenant_without_network`.
            CloudError: as the cloud says.
        """
        with self._unit_of_work() as uow:
            known = _known(uow, tenant_id)
        if octet is not None and octet != known.tenant.octet:
            raise Conflict(
                "octet_disagrees",
                f"The tenant's network is 10.{known.tenant.octet}.0.0/16, and not 10.{octet}.0.0/16.",
                "Leave the octet out, or name the tenant's own: it was given when the tenant was made.",
            )
        cloud = self._clouds(known.tenant.project_id)
        return self._planned(known, values, cloud.observe(known.owner), cloud.catalogue())

    def tenants(self, project_id: str) -> list[Planned]:
        """The plan of every tenant of a project that has a network, by name, from one look at the cloud."""
        knowns = known(self._unit_of_work, project_id)
        cloud = self._clouds(project_id)
        catalogue = cloud.catalogue()
        by_owner: dict[str, list[Found]] = defaultdict(list)
        for one in cloud.observe():
            by_owner[one.labels.get("frostbyte-owner", "")].append(one)
        return [self._planned(known, None, by_owner[known.owner.label], catalogue) for known in knowns]

    def _planned(
        self, known: _Known, values: Mapping[str, Any] | None, observed: Sequence[Found], catalogue: Catalogue
    ) -> Planned:
        request = self._request(known, values)
        on = self._grounds(known.tenant.project_id, known.base)
        # A tenant keeps its version until it is updated, whatever the control plane became meanwhile.
        on = replace(on, release=request.release or standing_release(known.entries) or on.release)
        desired = desired_tenant(
            *(known.tenant, known.environment, config_from(dict(known.config)), request, on), standing(known.entries)
        )
        return Planned(plan=plan(desired, observed, known.entries, catalogue, self._clock.now()), request=request)

    def _request(self, known: _Known, values: Mapping[str, Any] | None) -> Request:
        """What is asked for now, laid over what was asked for last; where neither says it, the control plane's own."""
        return laid_over({"locations": self._locations, **(in_force(known.runs) or {})}, values or {})

    def drift(self, tenant_id: str) -> list[Difference]:
        """How what is there differs from the journal.

        Raises:
            NotFound: `tenant_not_found`.
            CloudError: as the cloud says.
        """
        with self._unit_of_work() as uow:
            known = _known(uow, tenant_id)
        cloud, dns = self._clouds(known.tenant.project_id), self._dns(known.tenant.project_id)
        records = [
            record
            for entry in known.entries
            if entry.kind == Kind.RECORD and entry.state is EntryState.DONE
            if (record := dns.find(entry.spec["zone"], entry.spec["name"], entry.spec["type"])) is not None
        ]
        seen = [one for entry in known.entries if (one := self._guard(cloud, entry)) is not None]
        return drift(known.owner, known.entries, [*cloud.observe(known.owner), *records, *seen])

    @staticmethod
    def _guard(cloud: Cloud, entry: EntryRow) -> Found | None:
        """The base's firewall in front of the tenant; its rules are the tenant's as much."""
        if entry.action != "firewall_seen" or entry.state is not EntryState.DONE:
            return None
        return cloud.find(Kind.FIREWALL, entry.name)


def _known(uow: ProvisioningUnitOfWork, tenant_id: str) -> _Known:
    row = found(uow, tenant_id)
    project = uow.projects.get(row.project_id)
    assert project is not None  # a tenant's project is never removed
    base = uow.journal.entries(Owner(environment=project.environment, project_id=row.project_id))
    return _one(uow, row, project.environment, base)


def _one(uow: ProvisioningUnitOfWork, row: TenantRow, environment: str, base: Sequence[EntryRow]) -> _Known:
    config = uow.configs.get(row.tenant_id, row.config_version)
    assert config is not None  # added with the tenant's row, never removed
    owner = Owner(environment=environment, project_id=row.project_id, tenant_id=row.tenant_id)
    return _Known(
        tenant=row,
        environment=environment,
        config=config.values,
        base=base,
        entries=uow.journal.entries(owner),
        runs=uow.journal.runs(owner),
    )


def known(unit_of_work: ProvisioningFactory, project_id: str) -> list[_Known]:
    """What registry and journal say of every tenant of a project that has a network, by name."""
    with unit_of_work() as uow:
        return _all(uow, project_id)


def _all(uow: ProvisioningUnitOfWork, project_id: str) -> list[_Known]:
    project = uow.projects.get(project_id)
    if project is None:
        return []
    base = uow.journal.entries(Owner(environment=project.environment, project_id=project_id))
    rows: list[TenantRow] = []
    while page := uow.tenants.page(project_id=project_id, after=rows[-1].tenant_id if rows else "", limit=_PAGE):
        rows += page
    return [
        _one(uow, row, project.environment, base)
        for row in rows
        if row.octet is not None and row.state is not TenantState.DEPROVISIONED
    ]


def standing(entries: Sequence[EntryRow]) -> dict[str, str]:
    """Addresses in the tenant's network that its hosts have, by host."""
    live = (row for row in entries if row.action == Action.JOIN and row.state is not EntryState.GONE)
    return {row.key.removeprefix("join."): str(row.spec["address"]) for row in live}
