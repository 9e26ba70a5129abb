"""What the registry remembers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from frostbyte.control_plane.registry.states import Failed, TenantState
from frostbyte.kernel.records import Row


class ProjectRow(Row, frozen=True, kw_only=True):
    """One Hetzner project: its quotas and its 254 networks."""

    project_id: str
    """`[a-z0-9][a-z0-9-]{0,39}`."""
    environment: str
    """Which operators' keys govern it: production, staging ..."""
    created_at: datetime


class TenantRow(Row, frozen=True, kw_only=True):
    """One tenant. Its id is never given out again."""

    tenant_id: str
    project_id: str
    octet: int | None
    """Of its network 10.{octet}.0.0/16; None once it was given back."""
    state: TenantState
    failed: Failed
    version: int
    """Raised by every change of this row; who changes it names the one they saw."""
    config_version: int
    """The newest in `tenant_configs`."""
    standing_version: int
    """Of the signed directive that the plane has to acknowledge; raised by each move that it must learn of."""
    created_at: datetime
    updated_at: datetime
    last_event_id: UUID | None = None
    """The newest audit event of the tenant's chain: who asks why it changed finds it there."""


class TenantTally(Row, frozen=True, kw_only=True):
    """How many tenants of a project stand somewhere."""

    project_id: str
    state: TenantState
    count: int


class TenantConfigRow(Row, frozen=True, kw_only=True):
    """One version of a tenant's configuration."""

    tenant_id: str
    version: int
    values: dict[str, Any]
    actor: str
    created_at: datetime


class EndpointsRow(Row, frozen=True, kw_only=True):
    """How a tenant's plane is reached and recognised."""

    tenant_id: str
    gateway_url: str
    """Where the edge sends requests: `http://10.7.1.2:8080`, or https with the tenant's authority."""
    channel_url: str
    """The plane's control channel, https."""
    ca_pem: str
    """Certificate of the tenant's own authority; '' only where gateway and channel lie on this host."""
    log_key: str
    """Verifier key of the plane's audit log."""
    registered_at: datetime


class OperationKind(StrEnum):
    """What an operation does."""

    PROVISION = "provision"
    SUSPEND = "suspend"
    RESUME = "resume"
    DEPROVISION = "deprovision"
    ROTATE_AGE = "rotate_age"
    """The identity that seals a tenant's secrets."""
    ROTATE_CERTIFICATES = "rotate_certificates"
    ROTATE_CREDENTIALS = "rotate_credentials"
    """What the tenant's plane enters its stores and its embedder with."""
    ROTATE_KEYS = "rotate_keys"
    """All of them."""
    SCALE = "scale"
    """More or fewer hosts, or larger ones."""
    UPDATE = "update"
    """Another version."""
    REPAIR = "repair"
    """What is not as it was made is mended."""
    BACKUP = "backup"
    RESTORE = "restore"
    REFRESH = "refresh"
    """Signatures, images or packages that were delivered."""


ROTATIONS: Final = frozenset(
    {
        OperationKind.ROTATE_AGE,
        OperationKind.ROTATE_CERTIFICATES,
        OperationKind.ROTATE_CREDENTIALS,
        OperationKind.ROTATE_KEYS,
    }
)
"""A tenant's keys made anew."""
DUTIES: Final = ROTATIONS | {
    OperationKind.SCALE,
    OperationKind.UPDATE,
    OperationKind.REPAIR,
    OperationKind.BACKUP,
    OperationKind.RESTORE,
    OperationKind.REFRESH,
}
"""Operations that move no tenant: work on one that stands (control_plane.upkeep). One of them and one that moves the
tenant may run at the same time, so that nothing keeps a tenant from being suspended."""


class OperationStatus(StrEnum):
    """How an operation goes."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class OperationRow(Row, frozen=True, kw_only=True):
    """Something that takes time, and that somebody watches."""

    operation_id: UUID
    tenant_id: str
    kind: OperationKind
    status: OperationStatus
    actor: str
    reason: str
    """A code such as `payment`, `incident`, `requested`: never free text, for it goes into the audit."""
    started_at: datetime
    ended_at: datetime | None
    code: str
    """Of the error that ended it; '' for none."""
    request: dict[str, Any] = msgspec.field(default_factory=dict)
    """What a duty was asked for, as it reads it. No secret, and no content."""


class StepRow(Row, frozen=True, kw_only=True):
    """One thing that an operation did: what its watchers see, in order."""

    operation_id: UUID
    number: int
    step: str
    """`registry_committed`, `edge_closed`, `plane_acknowledged` ..."""
    status: OperationStatus
    code: str
    at: datetime
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    """What of it later steps and people need. No secret, and no content."""


class RoundRow(Row, frozen=True, kw_only=True):
    """One duty for many tenants: the first is looked at for a while, then the others one by one."""

    round_id: UUID
    kind: OperationKind
    request: dict[str, Any]
    """As the duty reads it; each tenant's operation names the round besides."""
    tenants: tuple[str, ...]
    """In order; the first is the canary."""
    soak_seconds: int
    """How long the canary is looked at after its operation went well."""
    actor: str
    reason: str
    status: OperationStatus
    started_at: datetime
    ended_at: datetime | None
    code: str
    """Of what stopped it; '' for nothing."""
    stopped_at: str
    """The tenant at which it stopped; '' for none."""


class StandingRow(Row, frozen=True, kw_only=True):
    """What of the directives has reached a plane."""

    tenant_id: str
    acknowledged_version: int
    acknowledged_at: datetime | None
    """When the plane last answered at all."""
    code: str
    """Of the error of the last attempt; '' when it went well."""
    holds: int = 0
    """Legal holds in force in the plane, as it last said."""


class IdempotencyRow(Row, frozen=True, kw_only=True):
    """What a request was answered, for its repetition."""

    subject: str
    """Who asked; two subjects may use the same key."""
    key: str
    digest: bytes
    """SHA-256 of what was asked for (32 bytes)."""
    answer: dict[str, Any]
    created_at: datetime


class AlarmRow(Row, frozen=True, kw_only=True):
    """Something that a plane answered and that could not be believed, and what shows it."""

    alarm_id: UUID
    tenant_id: str
    code: str
    expected: str
    """At most 512 characters, as `came`."""
    came: str
    rung_at: datetime
    settled_at: datetime | None = None
    """When it was not so any more; None while it rings."""
