"""Asks planes what they have heard since the backup that the register comes from, and brings the register up to it.

A plane acts on signed directives alone, each with a number, so one whose number is higher than the register's has heard
a decision that the register has lost. What shuts is taken over: a tenant that was suspended since stays so. What would
open is for a person, for all that says it is the plane itself. In both cases the register goes on above the plane's
number; a plane that was not asked refuses what it is told until it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.killswitch.orders import order
from frostbyte.control_plane.provisioning.adoption import Adoption, Person
from frostbyte.control_plane.registry.changes import changed, event_of, word
from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.records import EndpointsRow, TenantRow
from frostbyte.control_plane.registry.states import Move, TenantState, moved
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import PlaneState

ACTOR: Final = "restore"
REASON: Final = "control_restored"
MOST: Final = 1000
"""Decisions that a register may have lost of one tenant. A plane that tells of more is not believed."""
_PAGE: Final = 1000


class Heard:
    """See the module.

    Args:
        unit_of_work: the register's.
        channels: the ways to planes.
    """

    def __init__(
        self, unit_of_work: RegistryFactory, channels: Callable[[EndpointsRow], PlaneChannel], clock: Clock
    ) -> None:
        self._unit_of_work, self._channels, self._clock = unit_of_work, channels, clock

    def ask(self, done: Adoption) -> None:
        """Ask everybody, and tell whose register was brought up to date and what a person has to see to."""
        for tenant, endpoints in self._asked():
            try:
                standing = self._channels(endpoints).standing()
            except FrostbyteError as error:
                done.found.append(_silent(tenant.tenant_id, error))
                continue
            if standing.tenant_id != tenant.tenant_id or standing.log_key != endpoints.log_key:
                done.found.append(_stranger(tenant.tenant_id))
                continue
            self._heard(tenant, standing, done)

    def _asked(self) -> Iterator[tuple[TenantRow, EndpointsRow]]:
        after = ""
        while True:
            with self._unit_of_work() as uow:
                page = uow.tenants.page(after=after, limit=_PAGE)
                endpoints = uow.endpoints.get_many([row.tenant_id for row in page])
            for row in page:
                if order(row) is not None and row.tenant_id in endpoints:
                    yield row, endpoints[row.tenant_id]
            if len(page) < _PAGE:
                return
            after = page[-1].tenant_id

    def _heard(self, tenant: TenantRow, plane: PlaneStanding, done: Adoption) -> None:
        """Have the register follow one plane, and tell what follows of that for a person."""
        gap = plane.version - tenant.standing_version
        if max(gap, plane.config_version - tenant.config_version) > MOST:
            done.found.append(_stranger(tenant.tenant_id))
            return
        wanted = order(tenant)
        newer = gap > 0 or (gap == 0 and plane.version > 0 and plane.state is not wanted)
        with self._unit_of_work() as uow:
            row = uow.tenants.get(tenant.tenant_id, lock=True)
            assert row is not None  # never removed
            if newer and plane.state is PlaneState.SUSPENDED and row.state is TenantState.ACTIVE:
                row = self._suspended(uow, row)
            if newer:
                while row.standing_version <= plane.version:
                    details = {"reason": REASON, "status": "changed"}
                    row = changed(
                        *(uow, self._clock, row, EventType.TENANT_RESTORED, ACTOR, details),
                        standing_version=row.standing_version + 1,
                    )
            late = plane.config_version > row.config_version
            if late:
                row = self._configured(uow, row, plane.config_version)
            if newer or late:
                said = [self._said(tenant, plane)] if newer else []
                said += [_configured_since(tenant.tenant_id, plane.config_version)] if late else []
                done.tell(moved_on=[tenant.tenant_id], persons=[person for person in said if person is not None])
                uow.commit()

    def _suspended(self, uow: RegistryUnitOfWork, row: TenantRow) -> TenantRow:
        state, failed = moved(row.state, row.failed, Move.SUSPEND)
        details = {
            "reason": REASON,
            "from_state": word(row.state),
            "to_state": word(state),
            "status": "changed",
        }
        return changed(
            *(uow, self._clock, row, event_of(Move.SUSPEND, row.failed), ACTOR, details),
            state=state,
            failed=failed,
            standing_version=row.standing_version + 1,
        )

    def _configured(self, uow: RegistryUnitOfWork, row: TenantRow, version: int) -> TenantRow:
        """The number goes on; what is in force is what the plane has, which nobody here knows."""
        newest = uow.configs.get(row.tenant_id, row.config_version)
        assert newest is not None  # added with the tenant's row, never removed
        while row.config_version < version:
            number = row.config_version + 1
            details = {"config_version": number, "reason": REASON, "status": "changed"}
            row = changed(
                *(uow, self._clock, row, EventType.TENANT_CONFIG_UPDATED, ACTOR, details), config_version=number
            )
            uow.configs.add(replace(newest, version=number, actor=ACTOR, created_at=row.updated_at))
        return row

    def _said(self, tenant: TenantRow, plane: PlaneStanding) -> Person | None:
        name = tenant.tenant_id
        if plane.state is PlaneState.CLOSED and order(tenant) is not PlaneState.CLOSED:
            return Person(
                about=name,
                code="plane_closed_since",
                message=f"The plane of {name} was closed for good: the tenant was being deprovisioned.",
                remedy=f"Go on with it: frostbyte tenant deprovision {name} --confirm {name}.",
            )
        if plane.state is PlaneState.ACTIVE and tenant.state is TenantState.SUSPENDED:
            return Person(
                about=name,
                code="tenant_resumed_since",
                message=f"The plane of {name} was told to work, and the register says that the tenant is suspended. It "
                "stays suspended.",
                remedy=f"If it was resumed, do so once more: frostbyte tenant resume {name} --reason restored.",
            )
        return None


def _silent(tenant_id: str, error: FrostbyteError) -> Person:
    return Person(
        about=tenant_id,
        code="plane_not_asked",
        message=f"The plane of {tenant_id} does not say what it has heard ({error.code}). It refuses what it is told "
        "until it does, if it has heard more than the register knows; then its jobs wait.",
        remedy="When it is reached again, stop the control plane and run `frostbyte control restore` once more.",
    )


def _stranger(tenant_id: str) -> Person:
    return Person(
        about=tenant_id,
        code="plane_not_believed",
        message=f"What answers as the plane of {tenant_id} says what cannot be.",
        remedy="Look at it as docs/runbooks/control.md says under `a-plane-answers-wrongly`.",
    )


def _configured_since(tenant_id: str, version: int) -> Person:
    return Person(
        about=tenant_id,
        code="configured_since",
        message=f"The plane of {tenant_id} has version {version} of its configuration, which came after the backup and "
        "goes on to be in force there. What it says is not known here.",
        remedy=f"Compare `frostbyte config show` at the plane with `frostbyte tenant config {tenant_id}`, and set "
        "there what should be.",
    )
