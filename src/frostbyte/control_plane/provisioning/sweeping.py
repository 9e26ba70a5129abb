"""Looking for what nobody owns, in every project with a token, and removing what a person has confirmed.

A removal is intended in the audit before the cloud is asked. While it goes on, the row of the tenant whose label stands
on it is held: whoever wants to begin anything for that tenant, and might adopt what is being removed, waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from frostbyte.control_plane.provisioning.ports import Cloud, Dns, ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.resources import RUN, Found, Kind
from frostbyte.control_plane.provisioning.sweep import GRACE, Judged, Known, Verdict, judge, key_of, tenant_of
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.records import OperationKind, OperationStatus
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import EventRow

NOT_SEEN: Final = "not_seen"
"""Why something was not removed: it is gone already, or no project shows it."""
_PAGE: Final = 1000


class Site(Protocol):
    """What is looked at in a project."""

    @property
    def cloud(self) -> Cloud: ...
    @property
    def dns(self) -> Dns: ...


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A project that could not be looked at.

    Attributes:
        code: of the error.
    """

    project_id: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What became of a thing that was to be removed.

    Attributes:
        code: '' where it is gone; else why it is not: the error's code, the verdict that it has now, or `NOT_SEEN`.
    """

    key: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What was seen.

    Attributes:
        judged: everything with our labels, in the order in which orphans would be removed.
    """

    judged: tuple[Judged, ...]
    blind: tuple[Blind, ...] = ()
    removals: tuple[Removal, ...] = ()

    @property
    def orphans(self) -> tuple[Judged, ...]:
        """What nobody owns."""
        return tuple(one for one in self.judged if one.verdict is Verdict.ORPHAN)


class Sweeper:
    """The use cases.

    Args:
        unit_of_work: of registry and journal.
        environment: whose things are looked at; nothing of another one is.
        site: opens a project. Raises FrostbyteError where it has no token.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, environment: str, clock: Clock, site: Callable[[str], Site]
    ) -> None:
        self._unit_of_work = unit_of_work
        self._environment = environment
        self._clock = clock
        self._site = site

    def look(self, grace: timedelta = GRACE) -> Sweep:
        """Everything of ours with its verdict. Touches nothing."""
        seen: dict[str, tuple[str, Found]] = {}
        blind = []
        for project_id in self._projects():
            try:
                site = self._site(project_id)
                for one in [*site.cloud.observe(), *site.dns.observe()]:
                    seen.setdefault(key_of(one), (project_id, one))  # projects may share a token
            except FrostbyteError as error:
                blind.append(Blind(project_id=project_id, code=error.code))
        found = [one for _, one in seen.values()]
        with self._unit_of_work() as uow:
            judged = judge(found, self._known(uow, found), self._clock.now(), grace)
        return Sweep(judged=tuple(replace(one, project_id=seen[one.key][0]) for one in judged), blind=tuple(blind))

    def clean(self, confirmed: Sequence[str], actor: str, grace: timedelta = GRACE) -> Sweep:
        """Remove the orphans among what was confirmed, in safe order; one that fails does not hold the others.

        Args:
            confirmed: keys, as `look` told them. Anything else is left alone, whatever it is by now.
            actor: who has confirmed.
        """
        sweep = self.look(grace)
        removals = []
        for one in sweep.judged:
            if one.key not in confirmed:
                continue
            code = one.verdict.value if one.verdict is not Verdict.ORPHAN else self._remove(one, actor, grace)
            removals.append(Removal(key=one.key, code=code))
        seen = {one.key for one in sweep.judged}
        removals += [Removal(key=key, code=NOT_SEEN) for key in confirmed if key not in seen]
        return replace(sweep, removals=tuple(removals))

    def _remove(self, one: Judged, actor: str, grace: timedelta) -> str:
        """'' when it is gone, else why it is not."""
        try:
            with self._unit_of_work() as uow:
                uow.audit.append(self._event(uow, one, EventType.ORPHAN_CONFIRMED, actor))
                uow.commit()
            with self._unit_of_work() as uow:
                self._hold(uow, one)
                site = self._site(one.project_id)
                there = self._again(site, one.found)
                if there is not None:
                    verdict = self._judged(uow, there, grace)
                    if verdict is not Verdict.ORPHAN:
                        return verdict.value
                    self._take(site, there)
                uow.audit.append(self._event(uow, one, EventType.RESOURCE_REMOVED, actor))
                uow.commit()
        except FrostbyteError as error:
            return error.code
        return ""

    def _hold(self, uow: ProvisioningUnitOfWork, one: Judged) -> None:
        if one.tenant_id:
            uow.tenants.get(one.tenant_id, lock=True)
        else:
            uow.projects.lock(one.project_id)

    def _judged(self, uow: ProvisioningUnitOfWork, there: Found, grace: timedelta) -> Verdict:
        """As it is now, alone: what used it, and was an orphan too, has been removed before."""
        now = judge([there], self._known(uow, [there]), self._clock.now(), grace)
        return now[0].verdict if now else Verdict.OWNED  # without our labels it is somebody's

    def _again(self, site: Site, found: Found) -> Found | None:
        if found.kind is Kind.RECORD:
            return site.dns.find(found.facts["zone"], found.name, found.resource_id.rpartition("/")[2]) or found
        return site.cloud.show(found.kind, found.resource_id)

    def _take(self, site: Site, there: Found) -> None:
        if there.kind is Kind.RECORD:
            site.dns.remove(there.facts["zone"], there.name, there.resource_id.rpartition("/")[2])
            return
        site.cloud.delete(there.kind, there.resource_id)

    def _projects(self) -> list[str]:
        with self._unit_of_work() as uow:
            rows, after = [], ""
            while page := uow.projects.page(after=after, limit=_PAGE):
                rows += page
                after = page[-1].project_id
        return [row.project_id for row in rows if row.environment == self._environment]

    def _known(self, uow: ProvisioningUnitOfWork, found: Sequence[Found]) -> Known:
        tenants = {tenant_of(one) for one in found if one.kind is Kind.VOLUME} - {""}
        runs = {one.labels.get(RUN, "") for one in found if not one.created_at} - {""}
        return Known(
            environment=self._environment,
            owned=uow.journal.owned(self._environment),
            running=uow.journal.running(),
            ended={run: ended for run in runs if (ended := _ended(uow, run)) is not None},
            never_active={tenant_id for tenant_id in tenants if not was_active(uow, tenant_id)},
        )

    def _event(self, uow: ProvisioningUnitOfWork, one: Judged, type: EventType, actor: str) -> EventRow:
        """In the tenant's part of the audit, or in the control plane's own for one that the register does not know."""
        known = one.tenant_id and uow.tenants.get(one.tenant_id) is not None
        details = {
            "component": "sweeper",
            "kind": one.found.kind,
            "reason": Verdict.ORPHAN,
            "cloud_id": _plain(one.found.resource_id),
        }
        return make_event(
            one.tenant_id if known else ITSELF,
            type,
            self._clock,
            actor,
            one.found.kind.value,
            _plain(one.found.name) or _plain(one.found.resource_id),
            details,
        )


def was_active(uow: ProvisioningUnitOfWork, tenant_id: str) -> bool:
    """Whether a tenant may have data: its plane was in service once, or the register does not know it."""
    row = uow.tenants.get(tenant_id)
    if row is None or row.state in (TenantState.ACTIVE, TenantState.SUSPENDED):
        return True
    before: UUID | None = None
    while page := uow.operations.page(tenant_id=tenant_id, before=before, limit=_PAGE):
        if any((one.kind, one.status) == (OperationKind.PROVISION, OperationStatus.SUCCEEDED) for one in page):
            return True
        before = page[-1].operation_id
    return False


def _ended(uow: ProvisioningUnitOfWork, run: str) -> datetime | None:
    try:
        row = uow.journal.run(UUID(run))
    except ValueError:
        return None
    return row.ended_at if row else None


def _plain(text: str) -> str:
    """A name as events may carry it: the records of a zone itself are `@`, those of any name `*`."""
    return text.replace("@", "apex").replace("*", "any")
