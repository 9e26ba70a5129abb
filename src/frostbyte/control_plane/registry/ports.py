"""One transaction over everything the registry holds.

    with registry.unit_of_work() as uow:
        tenant = uow.tenants.get(tenant_id, lock=True)
        uow.audit.append(event)
        uow.tenants.put(replace(tenant, version=tenant.version + 1, last_event_id=event.event_id, ...))
        uow.commit()

Leaving the block without `commit()` undoes everything. The order above matters: the store refuses a tenant's change
whose event the same transaction has not written. All methods raise `Unavailable("database_unavailable")` when the store
cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from frostbyte.control_plane.registry.records import (
    AlarmRow,
    EndpointsRow,
    IdempotencyRow,
    OperationKind,
    OperationRow,
    ProjectRow,
    RoundRow,
    StandingRow,
    StepRow,
    TenantConfigRow,
    TenantRow,
    TenantTally,
)
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.kernel.ports.unit_of_work import AccessUnitOfWork


class Projects(Protocol):
    """What tenants are grouped by. Never changed or removed."""

    def get(self, project_id: str) -> ProjectRow | None: ...
    def add(self, row: ProjectRow) -> None:
        """Raises Conflict("project_exists")."""
        ...

    def lock(self, project_id: str) -> None:
        """Wait for and hold the project's networks until the transaction ends: who gives one out takes this first."""
        ...

    def page(self, *, after: str = "", limit: int = 100) -> list[ProjectRow]:
        """Ordered by project_id, those after `after`."""
        ...


class Tenants(Protocol):
    """The tenants that are and were."""

    def get(self, tenant_id: str, *, lock: bool = False) -> TenantRow | None:
        """The tenant or None; `lock` holds its row until the transaction ends."""
        ...

    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, TenantRow]:
        """Those that exist."""
        ...

    def add(self, row: TenantRow) -> None:
        """Raises Conflict: `tenant_exists`, `octet_taken`, `registry_refused`."""
        ...

    def put(self, row: TenantRow) -> None:
        """Replace the row that has the version before `row.version`.

        Raises:
            Conflict: `tenant_changed` where it has another; `registry_refused` for what no rule of the registry allows.
        """
        ...

    def page(
        self, *, project_id: str | None = None, state: TenantState | None = None, after: str = "", limit: int = 100
    ) -> list[TenantRow]:
        """Ordered by tenant_id, those after `after`."""
        ...

    def octets(self, project_id: str) -> frozenset[int]:
        """The networks of the project that are taken."""
        ...

    def tally(self) -> list[TenantTally]:
        """All tenants, counted by project and state."""
        ...


class TenantConfigs(Protocol):
    """Versions of tenants' configurations: added, never changed."""

    def add(self, row: TenantConfigRow) -> None:
        """Raises Conflict("config_changed") if the version is taken."""
        ...

    def get(self, tenant_id: str, version: int) -> TenantConfigRow | None: ...
    def page(self, tenant_id: str, *, before: int | None = None, limit: int = 100) -> list[TenantConfigRow]:
        """Newest first, those before a version."""
        ...


class Endpoints(Protocol):
    """How planes are reached."""

    def get(self, tenant_id: str) -> EndpointsRow | None: ...
    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, EndpointsRow]:
        """Those that are registered."""
        ...

    def put(self, row: EndpointsRow) -> None:
        """Insert or replace."""
        ...


class Standings(Protocol):
    """What of the directives has reached planes."""

    def get(self, tenant_id: str) -> StandingRow | None: ...
    def get_many(self, tenant_ids: Sequence[str]) -> dict[str, StandingRow]:
        """Those that were ever asked."""
        ...

    def put(self, row: StandingRow) -> None:
        """Insert or replace."""
        ...


class Operations(Protocol):
    """What takes time. For a tenant at most one runs that moves it, and at most one duty."""

    def get(self, operation_id: UUID, *, lock: bool = False) -> OperationRow | None: ...
    def add(self, row: OperationRow) -> None:
        """Raises Conflict("operation_running")."""
        ...

    def end(self, row: OperationRow) -> None:
        """Keep how it ended. Raises Conflict("registry_refused") where it has ended already."""
        ...

    def running(self, tenant_id: str | None = None) -> list[OperationRow]:
        """Oldest first; of one tenant or of all."""
        ...

    def page(self, *, tenant_id: str | None = None, before: UUID | None = None, limit: int = 100) -> list[OperationRow]:
        """Newest first, those begun before `before`."""
        ...

    def of(self, kind: OperationKind, since: datetime) -> list[OperationRow]:
        """All of a kind that began then or later, oldest first."""
        ...

    def add_step(self, row: StepRow) -> None:
        """Raises Conflict("row_exists") if the number is taken."""
        ...

    def steps(self, operation_id: UUID, *, after: int = 0) -> list[StepRow]:
        """In order, those after a number."""
        ...


class Idempotency(Protocol):
    """Answers that were given."""

    def recall(self, subject: str, key: str) -> IdempotencyRow | None:
        """The answer, waiting for a request of the same key that is under way; the key is held until the end."""
        ...

    def remember(self, row: IdempotencyRow) -> None:
        """Keep an answer. Raises Conflict("row_exists")."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove answers given before a moment; returns how many."""
        ...


class Alarms(Protocol):
    """What was wrong with planes' answers. Never removed."""

    def ring(self, row: AlarmRow) -> bool:
        """Add it, unless the same rings already; whether it was added."""
        ...

    def settle(self, tenant_id: str, code: str, now: datetime) -> bool:
        """It is not so any more; whether it rang."""
        ...

    def ringing(self, tenant_id: str | None = None) -> list[AlarmRow]:
        """Oldest first; of one tenant or of all."""
        ...


class Rounds(Protocol):
    """Duties for many tenants."""

    def add(self, row: RoundRow) -> None:
        """Raises Conflict("round_running") while another one runs."""
        ...

    def end(self, row: RoundRow) -> None:
        """Write how a running one ended."""
        ...

    def get(self, round_id: UUID) -> RoundRow | None: ...
    def running(self) -> RoundRow | None: ...
    def page(self, *, before: UUID | None = None, limit: int = 100) -> list[RoundRow]:
        """Newest first."""
        ...


class RegistryUnitOfWork(AccessUnitOfWork, Protocol):
    """One transaction of the control plane."""

    @property
    def projects(self) -> Projects: ...
    @property
    def tenants(self) -> Tenants: ...
    @property
    def configs(self) -> TenantConfigs: ...
    @property
    def endpoints(self) -> Endpoints: ...
    @property
    def standings(self) -> Standings: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def alarms(self) -> Alarms: ...
    @property
    def rounds(self) -> Rounds: ...


RegistryFactory = Callable[[], AbstractContextManager[RegistryUnitOfWork]]


class Progress(StrEnum):
    """How far an operation's work on hosts is."""

    NONE = "none"
    """It has none: the plane was attached by hand."""
    WORKING = "working"
    READY = "ready"
    """Made, or gone."""
    TURNING = "turning"
    """It failed, and what was made is being taken away."""
    FAILED = "failed"
    """It failed, and nothing goes on any more."""


class Holds(Protocol):
    """Asks planes for their legal holds (killswitch.holding)."""

    def __call__(self, tenant_id: str) -> int | None:
        """How many are in force in its plane now; None where that does not answer, or not as the one it should be.

        Takes as long as the channel to a plane does. Raises `database_unavailable`.
        """
        ...


class Runs(Protocol):
    """What makes tenants' hosts and takes them away (provisioning), in the transactions of their operations."""

    def begun(
        self, uow: RegistryUnitOfWork, tenant: TenantRow, operation: OperationRow, request: Mapping[str, Any] | None
    ) -> bool:
        """Begin what an operation needs of hosts.

        Args:
            tenant: before the operation's move.
            request: what is asked for; None for what was asked for last.

        Returns:
            whether it needs anything: the hosts of a plane that was attached by hand are its operator's own.

        Raises:
            Invalid: `provision_request_invalid`.
            Conflict: `run_running`.
        """
        ...

    def ended(self, uow: RegistryUnitOfWork, operation: OperationRow) -> None:
        """An operation ended: what it began and has not done is not gone on with."""
        ...
