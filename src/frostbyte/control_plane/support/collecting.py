"""Collects what support needs: how the control plane is and what it does, or one tenant with all its hosts.

It is made of ids, codes, states, versions, sizes and counts. Who asked for something and why is not in it, nor is an
address; the audit says that it was collected, and by whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from frostbyte.control_plane.ledger.follow import Standing
from frostbyte.control_plane.provisioning.journal import EntryState
from frostbyte.control_plane.provisioning.ports import HostAddress, ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.changes import ITSELF, found
from frostbyte.control_plane.registry.records import OperationRow, OperationStatus, TenantRow
from frostbyte.control_plane.support.hosts import Looking
from frostbyte.control_plane.support.rows import Section, row
from frostbyte.control_plane.watch.verdict import Level
from frostbyte.control_plane.watch.view import TenantHealth, TenantWatch
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.told_log import told

OPERATIONS: Final = 50
"""The newest."""
ALL: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where it comes from, besides the registry.

    Attributes:
        process: lines about this process and its host, made by `row`.
        view: what was seen of tenants; None where nobody looks.
        logs: how following planes' logs goes.
        recent: this process's newest log lines, oldest first.
        hosts: asks tenants' hosts; None where there are none of ours.
    """

    process: Callable[[], Sequence[str]]
    view: TenantWatch | None
    logs: Callable[[], Sequence[Standing]]
    recent: Callable[[], Sequence[str]]
    hosts: Looking | None


class Support:
    """See the module.

    Args:
        environment: whose tenants.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, clock: Clock, environment: str, sources: Sources) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._environment, self._sources = environment, sources

    def control(self, actor: str) -> list[Section]:
        """The control plane. Raises Unavailable("database_unavailable"): what cannot be audited is not collected."""
        with self._unit_of_work() as uow:
            self._audit(uow, ITSELF, actor)
            rows = uow.operations.page(limit=OPERATIONS)
            operations = tuple(_operations(uow, rows))
            runs = tuple(
                row("run", run.tenant_id or "base", run.direction, run.code, "since", iso(run.started_at))
                for run in uow.journal.running()
            )
            alarms = tuple(
                row("alarm", alarm.tenant_id, alarm.code, "since", iso(alarm.rung_at)) for alarm in uow.alarms.ringing()
            )
            counts = tuple(row(each.project_id, each.state.value, each.count) for each in uow.tenants.tally())
            uow.commit()
        return [
            Section(title="Control plane", lines=tuple(self._sources.process())),
            Section(title="Tenants by project and state", lines=counts),
            Section(title="Tenants that are not well", lines=tuple(self._unwell())),
            Section(title="Alarms that ring", lines=alarms),
            Section(title="Logs in the ledger", lines=tuple(_log(one) for one in self._sources.logs())),
            Section(title="Runs under way", lines=runs),
            Section(title=f"The newest {OPERATIONS} operations", lines=operations),
            Section(title="Log of the control plane", lines=tuple(told(self._sources.recent()))),
        ]

    def tenant(self, tenant_id: str, actor: str) -> list[Section]:
        """A tenant and its hosts; takes as long as its slowest host, a few minutes at most.

        Raises:
            NotFound: `tenant_not_found`.
            Unavailable: `database_unavailable`.
        """
        with self._unit_of_work() as uow:
            tenant = found(uow, tenant_id)
            self._audit(uow, tenant_id, actor)
            owner = Owner(environment=self._environment, project_id=tenant.project_id, tenant_id=tenant_id)
            sections = [
                Section(title=f"Tenant {tenant_id}", lines=tuple(self._about(uow, tenant))),
                Section(
                    title=f"The newest {OPERATIONS} operations",
                    lines=tuple(_operations(uow, uow.operations.page(tenant_id=tenant_id, limit=OPERATIONS))),
                ),
                Section(title="What was made for it", lines=tuple(_journal(uow, owner))),
            ]
            uow.commit()
        health = self._sources.view.tenant(tenant_id) if self._sources.view else None
        sections.insert(1, Section(title="Health", lines=tuple(_health(health)) if health else (row("not", "seen"),)))
        if self._sources.hosts is not None:
            sections += self._sources.hosts.sections(owner)
        return sections

    def ways(self, tenant_id: str) -> list[HostAddress]:
        """How the tenant's hosts are reached; none where there are none of ours.

        Raises:
            NotFound: `tenant_not_found`.
            Conflict: `base_incomplete`.
        """
        with self._unit_of_work() as uow:
            tenant = found(uow, tenant_id)
        owner = Owner(environment=self._environment, project_id=tenant.project_id, tenant_id=tenant_id)
        return self._sources.hosts.ways(owner) if self._sources.hosts is not None else []

    def _unwell(self) -> Iterator[str]:
        if self._sources.view is None:
            return
        yield row("looked_seconds_ago", self._sources.view.age_seconds())
        for one in self._sources.view.tenants():
            if one.verdict.level > Level.OK:
                codes = [reason.code for reason in one.verdict.reasons]
                yield row(one.tenant_id, one.seen.state.value, one.verdict.level.word, *codes)

    def _about(self, uow: ProvisioningUnitOfWork, tenant: TenantRow) -> Iterator[str]:
        yield row("state", tenant.state.value, "failed", tenant.failed.value)
        yield row("version", tenant.version, "config", tenant.config_version, "standing", tenant.standing_version)
        standing = uow.standings.get(tenant.tenant_id)
        if standing is not None:
            answered = iso(standing.acknowledged_at) if standing.acknowledged_at else None
            yield row("told", standing.acknowledged_version, "answered", answered, "code", standing.code)
        yield row("attached", uow.endpoints.get(tenant.tenant_id) is not None)
        for alarm in uow.alarms.ringing(tenant.tenant_id):
            yield row("alarm", alarm.code, "since", iso(alarm.rung_at))
        for one in self._sources.logs():
            if one.plane.tenant_id == tenant.tenant_id:
                yield _log(one)

    def _audit(self, uow: ProvisioningUnitOfWork, tenant_id: str, actor: str) -> None:
        details = {"component": "support", "status": "collected"}
        uow.audit.append(
            make_event(tenant_id, EventType.SUPPORT_COLLECTED, self._clock, actor, "tenant", tenant_id, details)
        )


def collected(sections: Callable[[], list[Section]]) -> list[Section]:
    """Sections, or the code of what kept them from being made."""
    try:
        return sections()
    except FrostbyteError as error:
        return [Section(title="Not collected", lines=(row(error.code),))]


def _operations(uow: ProvisioningUnitOfWork, rows: Iterable[OperationRow]) -> Iterator[str]:
    for one in rows:
        took = (one.ended_at - one.started_at).total_seconds() if one.ended_at else None
        yield row(iso(one.started_at), one.tenant_id, one.kind.value, one.status.value, one.code, "seconds", took)
        for step in uow.operations.steps(one.operation_id):
            if step.status is OperationStatus.FAILED or one.status is OperationStatus.RUNNING:
                yield "  " + row("step", step.step, step.status.value, step.code, iso(step.at))


def _journal(uow: ProvisioningUnitOfWork, owner: Owner) -> Iterator[str]:
    for run in uow.journal.runs(owner)[:5]:
        yield row("run", run.direction.value, run.state.value, run.code, "since", iso(run.started_at))
    for entry in uow.journal.entries(owner):
        if entry.state is not EntryState.GONE:
            yield row(
                entry.key, entry.action, entry.state.value, entry.resource_id, entry.code, "calls", entry.attempts
            )


def _log(one: Standing) -> str:
    state = one.finding.value if one.finding else "follows"
    return row("log", one.plane.tenant_id, state, "verified", one.size, "signed", one.row.plane_size, one.row.code)


def _health(health: TenantHealth) -> Iterator[str]:
    seen = health.seen
    yield row("level", health.verdict.level.word, *(reason.code for reason in health.verdict.reasons))
    for name in seen.__struct_fields__:
        value = getattr(seen, name)
        if name == "state" or isinstance(value, tuple | datetime):
            continue
        yield row(name, value)
    for name, words in (("stand_ins", seen.stand_ins), ("alerts", seen.alerts)):
        if words:
            yield row(name, *words)
    yield row("plane_version", health.version, "model", health.model)
