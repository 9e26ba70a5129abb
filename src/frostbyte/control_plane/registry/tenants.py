"""What operators do with tenants, apart from what takes time (operations.py)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.registry.changes import changed, found, last_change, word
from frostbyte.control_plane.registry.idempotency import Once, kept, recalled
from frostbyte.control_plane.registry.ports import RegistryFactory, RegistryUnitOfWork
from frostbyte.control_plane.registry.projects import free_octet
from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationRow,
    StandingRow,
    TenantConfigRow,
    TenantRow,
    TenantTally,
)
from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid, NotFound
from frostbyte.kernel.records import Row
from frostbyte.kernel.settings import is_tenant_name
from frostbyte.kernel.tenancy import TenantConfig, config_from


class TenantDetail(Row, frozen=True, kw_only=True):
    """All that the registry knows of one tenant, as of one moment."""

    tenant: TenantRow
    config: TenantConfigRow
    endpoints: EndpointsRow | None
    standing: StandingRow | None
    operation: OperationRow | None
    """The newest, whether it runs or has ended."""


class Tenants:
    """Makes, configures and shows tenants.

    Args:
        unit_of_work: opens transactions.
        clock: the control plane's.
    """

    def __init__(self, unit_of_work: RegistryFactory, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    def create(
        self,
        tenant_id: str,
        project_id: str,
        *,
        actor: str,
        octet: int | None = None,
        values: dict[str, object] | None = None,
        once: Once | None = None,
    ) -> TenantRow:
        """A new tenant, PENDING, with a network of its own.

        Args:
            tenant_id: `[a-z0-9]{1,32}`, none of the reserved names; never given out again.
            project_id: where it belongs for good.
            actor: who creates it.
            octet: of its network 10.{octet}.0.0/16; None for the lowest that is free.
            values: settings laid over the defaults (kernel.tenancy.TenantConfig).
            once: the request, if it may be sent again.

        Raises:
            Invalid: `tenant_id_invalid`, `octet_invalid`, `config_invalid`.
            NotFound: `project_not_found`.
            Conflict: `tenant_exists`, `octet_taken`, `project_full`, `idempotency_conflict`.
        """
        if not is_tenant_name(tenant_id):
            raise Invalid(
                "tenant_id_invalid", "The tenant's id is none.", "Write 1 to 32 of a-z and 0-9, no reserved name."
            )
        config = _plain(config_from(values or {}))
        with self._unit_of_work() as uow:
            before = recalled(uow, once, TenantRow)
            if before is not None:
                return before
            if uow.projects.get(project_id) is None:
                raise NotFound("project_not_found", "There is no such project.", "Check its name, or create it.")
            uow.projects.lock(project_id)
            other = uow.tenants.get(tenant_id)
            if other is not None:
                raise Conflict(
                    "tenant_exists",
                    f"There is or was a tenant of this id; it is {other.state.value}.",
                    "Choose another id; none is reused.",
                )
            event = make_event(
                tenant_id,
                EventType.TENANT_CREATED,
                self._clock,
                actor,
                "tenant",
                tenant_id,
                {"component": "registry", "version": 1, "config_version": 1, "to_state": word(TenantState.PENDING)},
            )
            row = TenantRow(
                tenant_id=tenant_id,
                project_id=project_id,
                octet=free_octet(project_id, uow.tenants.octets(project_id), octet),
                state=TenantState.PENDING,
                failed=Failed.NOTHING,
                version=1,
                config_version=1,
                standing_version=0,
                created_at=event.timestamp,
                updated_at=event.timestamp,
                last_event_id=event.event_id,
            )
            uow.audit.append(event)
            uow.tenants.add(row)
            uow.configs.add(
                TenantConfigRow(tenant_id=tenant_id, version=1, values=config, actor=actor, created_at=event.timestamp)
            )
            kept(uow, once, row, self._clock)
            uow.commit()
        return row

    def configure(
        self, tenant_id: str, values: dict[str, object], *, expected: int, actor: str, once: Once | None = None
    ) -> TenantConfigRow:
        """Lay `values` over the configuration as a new version of it.

        Args:
            tenant_id: whose.
            values: settings to change.
            expected: the version of the configuration that the caller saw.
            actor: who changes it.
            once: the request, if it may be sent again.

        Raises:
            NotFound: `tenant_not_found`.
            Conflict: `config_changed`, saying what happened since; `tenant_deprovisioned`, `idempotency_conflict`.
            Invalid: `config_invalid`.
        """
        with self._unit_of_work() as uow:
            before = recalled(uow, once, TenantConfigRow)
            if before is not None:
                return before
            row = found(uow, tenant_id, lock=True)
            if row.state is TenantState.DEPROVISIONED:
                raise Conflict(
                    "tenant_deprovisioned",
                    f"The tenant is gone: nothing of it changes any more. {last_change(uow, row)}",
                    "Create another tenant.",
                )
            newest = uow.configs.get(tenant_id, row.config_version)
            assert newest is not None  # added with the tenant's row, never removed
            if row.config_version != expected:
                raise Conflict(
                    "config_changed",
                    f"Version {row.config_version} of the configuration is in force, not {expected}; "
                    f"it is by {newest.actor}.",
                    "Read the configuration again and repeat the change.",
                )
            config = config_from(values, config_from(newest.values))
            version = row.config_version + 1
            details = {"config_version": version, "changed": sorted(values), "status": "changed"}
            row = changed(
                *(uow, self._clock, row, EventType.TENANT_CONFIG_UPDATED, actor, details), config_version=version
            )
            new = replace(newest, version=version, values=_plain(config), actor=actor, created_at=row.updated_at)
            uow.configs.add(new)
            kept(uow, once, new, self._clock)
            uow.commit()
        return new

    def show(self, tenant_id: str) -> TenantRow:
        """The tenant. Raises NotFound("tenant_not_found")."""
        with self._unit_of_work() as uow:
            return found(uow, tenant_id)

    def detail(self, tenant_id: str) -> TenantDetail:
        """Everything about the tenant. Raises NotFound("tenant_not_found")."""
        with self._unit_of_work() as uow:
            row = found(uow, tenant_id)
            config = uow.configs.get(tenant_id, row.config_version)
            assert config is not None  # added with the tenant's row, never removed
            newest = uow.operations.page(tenant_id=tenant_id, limit=1)
            return TenantDetail(
                tenant=row,
                config=config,
                endpoints=uow.endpoints.get(tenant_id),
                standing=uow.standings.get(tenant_id),
                operation=newest[0] if newest else None,
            )

    def page(
        self,
        *,
        project_id: str | None = None,
        state: TenantState | None = None,
        prefix: str = "",
        after: str = "",
        limit: int = 100,
    ) -> list[TenantRow]:
        """Ordered by id, those after `after` that begin with `prefix`."""
        with self._unit_of_work() as uow:
            return begun_with(uow, prefix, project_id=project_id, state=state, after=after, limit=limit)

    def tally(self) -> list[TenantTally]:
        """All tenants, counted by project and state."""
        with self._unit_of_work() as uow:
            return uow.tenants.tally()

    def configs(self, tenant_id: str, *, before: int | None = None, limit: int = 100) -> list[TenantConfigRow]:
        """The versions of its configuration, newest first. Raises NotFound("tenant_not_found")."""
        with self._unit_of_work() as uow:
            found(uow, tenant_id)
            return uow.configs.page(tenant_id, before=before, limit=limit)


def begun_with(
    uow: RegistryUnitOfWork,
    prefix: str,
    *,
    project_id: str | None = None,
    state: TenantState | None = None,
    after: str = "",
    limit: int = 100,
) -> list[TenantRow]:
    """The same, in a transaction. Names that begin alike stand together, and what they begin with is the first."""
    first = uow.tenants.get(prefix) if after < prefix else None
    fits = first and state in (None, first.state) and project_id in (None, first.project_id)
    rows = [first] if first and fits else []
    rows += uow.tenants.page(project_id=project_id, state=state, after=max(prefix, after), limit=limit - len(rows))
    return [row for row in rows if row.tenant_id.startswith(prefix)]


def _plain(config: TenantConfig) -> dict[str, Any]:
    """As a database gives it back: an answer is the same whether it was just made or is repeated."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return values
