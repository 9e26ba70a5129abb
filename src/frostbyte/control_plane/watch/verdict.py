"""What to think of what was seen of a tenant. Pure; its cases are tests/control/watch/verdicts.toml.

Every reason names its section of docs/runbooks/control.md, where a person reads what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec

from frostbyte.control_plane.registry.states import TenantState

DAY: Final = 86_400.0
LEASE_SECONDS: Final = 60.0
"""After this without a renewal a plane dispatches no jobs."""
LEDGER_SECONDS: Final = (120.0, 900.0)
"""Since the ledger last had everything of a plane: when it is worth a look, and when it cannot wait."""
STORAGE_SHARE: Final = (0.80, 0.95)
JOB_SECONDS: Final = (3_600.0, DAY)
SIGNATURES_SECONDS: Final = (2 * DAY, 7 * DAY)
"""ClamAV publishes signatures daily."""
CERTIFICATE_SECONDS: Final = (21 * DAY, 3 * DAY)
"""Before it ends. It is renewed long before: a third of 397 days is left then."""
RUNBOOKS: Final = "docs/runbooks/"


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    WARN = 1
    """Somebody should look, in working hours."""
    CRITICAL = 2
    """Somebody is kept from working, or a promise is in danger."""

    @property
    def word(self) -> str:
        """`ok`, `warn` or `critical`."""
        return self.name.lower()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tenant. None: it is not known, which is a reason of its own where it should be."""

    state: TenantState
    edge_status: int | None = None
    """HTTP status of its /health through the edge; 0 where nothing answers there at all."""
    acknowledged: bool = False
    """Whether the plane has acknowledged what the registry says."""
    answered_seconds: float | None = None
    """Since the plane last answered on its control channel."""
    channel_code: str = ""
    """Of the error of the last exchange."""
    ledger_seconds: float | None = None
    """Since the ledger last held everything that the plane had signed."""
    ledger_lag_events: int | None = None
    gateway_ready: bool | None = None
    stored_bytes: int | None = None
    quota_bytes: int | None = None
    oldest_job_seconds: float | None = None
    signatures_age_seconds: float | None = None
    signatures_limit_seconds: float | None = None
    """What the tenant allows; None for no limit."""
    signatures_trouble: str = ""
    """Why a scanner of the plane may call nothing clean, as a code."""
    intake_refused: str = ""
    """Why the plane takes no uploads, as a code."""
    certificate_seconds: float | None = None
    """Until the first of its certificates ends."""
    backup_seconds: float | None = None
    """Since its last good backup, or since it came into service; None where it is not backed up by itself."""
    backup_period_seconds: float = 0.0
    """Between two of its backups."""
    stand_ins: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    """Codes of the alerts that are open."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a tenant is not simply well."""

    level: Level
    code: str
    message: str
    section: str
    """Of docs/runbooks/control.md, or of another file with its name before `#`."""

    @property
    def runbook(self) -> str:
        """Where it says what to do."""
        return RUNBOOKS + (self.section if "#" in self.section else f"control.md#{self.section}")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it, worst first."""

    level: Level
    reasons: tuple[Reason, ...]


def judge(seen: Seen) -> Verdict:
    """What to think of a tenant."""
    reasons = sorted(_reasons(seen), key=lambda reason: (-reason.level, reason.code))
    return Verdict(level=max((reason.level for reason in reasons), default=Level.OK), reasons=tuple(reasons))


def _reasons(seen: Seen) -> Iterator[Reason]:
    if seen.state is TenantState.FAILED:
        yield _reason(Level.CRITICAL, "tenant_failed", "an-operation-failed", "An operation on this tenant failed.")
    if seen.alerts:
        names = ", ".join(sorted(set(seen.alerts)))
        yield _reason(Level.CRITICAL, "alerts_open", "a-plane-answers-wrongly", f"Alerts are open: {names}.")
    if seen.state is TenantState.ACTIVE:
        yield from _running(seen)
    elif seen.state is TenantState.SUSPENDED:
        yield from _suspended(seen)
    if seen.state in (TenantState.ACTIVE, TenantState.SUSPENDED):
        yield from _kept(seen)


def _running(seen: Seen) -> Iterator[Reason]:
    silent = seen.answered_seconds is None or seen.answered_seconds > LEASE_SECONDS
    if silent:
        why = f" ({seen.channel_code})" if seen.channel_code else ""
        yield _reason(
            Level.CRITICAL, "lease_over", "a-plane-is-not-reached", f"The plane is not reached{why}: its jobs wait."
        )
    elif not seen.acknowledged:
        yield _reason(
            Level.WARN, "standing_unacknowledged", "a-plane-is-not-reached", "The plane has not acknowledged its state."
        )
    if seen.edge_status is None:
        yield _reason(Level.WARN, "edge_unknown", "the-edge-does-not-lead-to-a-tenant", "The edge was not asked yet.")
    elif seen.edge_status != 200:
        what = f"answers {seen.edge_status}" if seen.edge_status else "does not answer"
        yield _reason(
            Level.CRITICAL,
            "gateway_down",
            "the-edge-does-not-lead-to-a-tenant",
            f"The tenant's gateway {what} through the edge.",
        )
    if seen.gateway_ready is False:
        yield _reason(Level.CRITICAL, "gateway_not_ready", "a-plane-cannot-work", "The gateway lives and cannot work.")
    if not silent and seen.gateway_ready is None:
        yield _reason(Level.WARN, "health_unknown", "a-plane-is-not-reached", "The plane has not told how it is.")
    yield from _above(
        seen.oldest_job_seconds,
        JOB_SECONDS,
        "jobs_old",
        "jobs-of-a-tenant-are-old",
        "A job has waited for {:,.0f} seconds.",
    )


def _suspended(seen: Seen) -> Iterator[Reason]:
    if seen.edge_status is not None and seen.edge_status not in (0, 503):
        yield _reason(
            Level.CRITICAL,
            "edge_open",
            "a-suspended-tenant-is-reached",
            f"The tenant is suspended and the edge answers {seen.edge_status}.",
        )
    if not seen.acknowledged:
        yield _reason(
            Level.WARN,
            "standing_unacknowledged",
            "a-plane-is-not-reached",
            "The edge is shut; the plane has not acknowledged it.",
        )


def _kept(seen: Seen) -> Iterator[Reason]:
    """What has to be kept up whether it runs or not."""
    yield from _above(
        seen.ledger_seconds,
        LEDGER_SECONDS,
        "ledger_behind",
        "the-ledger-is-behind",
        "The ledger has not held the whole log for {:,.0f} seconds.",
    )
    if seen.stored_bytes is not None and seen.quota_bytes:
        yield from _above(
            seen.stored_bytes / seen.quota_bytes,
            STORAGE_SHARE,
            "storage_full",
            "storage-is-nearly-full",
            "{:.0%} of the storage quota is used.",
        )
    yield from _signatures(seen)
    if seen.certificate_seconds is not None:
        yield from _above(
            -seen.certificate_seconds,
            (-CERTIFICATE_SECONDS[0], -CERTIFICATE_SECONDS[1]),
            "certificate_ends",
            "a-certificate-ends",
            "A certificate ends in {:,.0f} seconds.",
            shown=seen.certificate_seconds,
        )
    yield from _above(
        seen.backup_seconds,
        (2 * seen.backup_period_seconds, 7 * seen.backup_period_seconds),
        "backup_old",
        "a-tenants-backup-is-old",
        "The last good backup is {:,.0f} seconds old.",
    )
    if seen.stand_ins:
        yield _reason(
            Level.WARN,
            "stand_ins",
            "service.md#stand-ins-are-in-use",
            f"NOT FOR PRODUCTION: it runs with stand-ins ({', '.join(seen.stand_ins)}).",
        )


def _signatures(seen: Seen) -> Iterator[Reason]:
    """Old ones are said before the tenant's own limit is reached, and what it does is said when it is."""
    section = "virus-signatures-are-old"
    if seen.intake_refused:
        yield _reason(
            Level.CRITICAL,
            "intake_refused",
            section,
            f"No uploads are taken, and what came before waits: {seen.intake_refused}.",
        )
    elif seen.signatures_trouble:
        what = f"A scanner may call nothing clean: {seen.signatures_trouble}."
        yield _reason(Level.CRITICAL, "scanner_stale", section, what)
    limit = seen.signatures_limit_seconds
    warn, critical = SIGNATURES_SECONDS
    limits = (warn, critical) if limit is None else (min(warn, limit / 2), min(critical, limit))
    yield from _above(
        seen.signatures_age_seconds, limits, "signatures_old", section, "The virus signatures are {:,.0f} seconds old."
    )


def _above(
    value: float | None,
    limits: tuple[float, float],
    code: str,
    section: str,
    message: str,
    *,
    shown: float | None = None,
) -> Iterator[Reason]:
    if value is not None and value > limits[0]:
        level = Level.CRITICAL if value > limits[1] else Level.WARN
        yield _reason(level, code, section, message.format(value if shown is None else shown))


def _reason(level: Level, code: str, section: str, message: str) -> Reason:
    return Reason(level=level, code=code, message=message, section=section)
