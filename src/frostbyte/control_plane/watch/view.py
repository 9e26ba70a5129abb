"""Looks at every tenant, and keeps what was seen: through the edge as users reach it, over the channel as it tells.

A look waits for nobody: tenants are asked by a few threads, and a plane that did not answer the pusher is not asked
again here. Ages are measured by a clock that nobody can set.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
import structlog

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.control_plane.registry.records import EndpointsRow, StandingRow, TenantRow
from frostbyte.control_plane.registry.states import TenantState
from frostbyte.control_plane.watch.verdict import Level, Seen, Verdict, judge
from frostbyte.kernel.channel import PlaneHealth
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

INTERVAL_SECONDS: Final = 15.0
STALE_SECONDS: Final = 120.0
"""What a plane told of itself longer ago than this is not believed any more."""
THREADS: Final = 8
PAGE: Final = 1000
_WATCHED: Final = (TenantState.ACTIVE, TenantState.SUSPENDED)
_log = structlog.get_logger("frostbyte.tenants")


Channels = Callable[[EndpointsRow], PlaneChannel]
"""The way to a plane."""


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far the ledger is behind one tenant's log."""

    seconds: float | None
    """Since it last held everything; None if it never did."""
    events: int | None


class BackupAge(msgspec.Struct, frozen=True, kw_only=True):
    """How old a tenant's backup is, of one that is backed up by itself."""

    seconds: float
    """Since its last good one began, or since it came into service."""
    period_seconds: float
    """Between two."""
    good: bool
    """Whether there is a good one at all."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Whom to ask.

    Args:
        edge: HTTP status of a tenant's /health through the edge; 0 where nothing answers.
        channels: the way to a plane.
        lags: how far the ledger is behind, by tenant.
        alerts: codes of open alarms and findings, by tenant.
        ends: when the first of the certificates ends that the control plane keeps for a tenant; None where it has none.
    """

    edge: Callable[[str], int]
    channels: Channels
    lags: Callable[[], Mapping[str, Lag]]
    alerts: Callable[[], Mapping[str, tuple[str, ...]]]
    ends: Callable[[str], datetime | None] = lambda _: None


@dataclass(kw_only=True)
class _Look:
    """What was last heard of one tenant."""

    edge_status: int | None = None
    health: PlaneHealth | None = None
    ends_at: datetime | None = None
    health_at: float = field(default=0.0)


class TenantHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant in the view."""

    tenant_id: str
    project_id: str
    seen: Seen
    verdict: Verdict
    model: str
    version: str
    """Of the plane's Frostbyte; '' if it did not tell."""
    backed_up: bool = True
    """False for one that is to be backed up by itself and never was with success."""


class TenantWatch:
    """The view of all tenants.

    Args:
        unit_of_work: the registry's.
        sources: whom to ask.
        clock: for ages of what the registry stored and for ends of certificates.
    """

    def __init__(self, unit_of_work: RegistryFactory, sources: Sources, clock: Clock) -> None:
        self._unit_of_work, self._sources, self._clock = unit_of_work, sources, clock
        self.backups: Callable[[], Mapping[str, BackupAge]] = dict
        """Of those that are backed up by themselves."""
        self._looks: dict[str, _Look] = {}
        self._view: dict[str, TenantHealth] = {}
        self._looked_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Look at everybody until `stop` is set."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="tenants") as threads:
            while not stop.is_set():
                try:
                    self.look(threads)
                except FrostbyteError as error:  # the age of the view tells
                    _log.warning("look_failed", code=error.code)
                stop.wait(INTERVAL_SECONDS)

    def look(self, threads: ThreadPoolExecutor) -> None:
        """Ask everybody once, and judge."""
        rows = self._rows()
        asked = [
            threads.submit(self._ask, tenant, endpoints, standing)
            for tenant, endpoints, standing in rows
            if tenant.state in _WATCHED
        ]
        wait(asked)
        lags, alerts, now = self._sources.lags(), self._sources.alerts(), self._clock.now()
        backups = self.backups()
        self._view = {
            tenant.tenant_id: self._judged(
                tenant,
                standing,
                lags.get(tenant.tenant_id),
                alerts.get(tenant.tenant_id, ()),
                now,
                backups.get(tenant.tenant_id),
            )
            for tenant, _, standing in rows
        }
        self._looked_at = time.monotonic()

    def view(self) -> Mapping[str, TenantHealth]:
        """Everybody by name, as of one look; {} before the first."""
        return self._view

    def tenants(self) -> list[TenantHealth]:
        """Everybody, by name."""
        view = self._view
        return [view[name] for name in sorted(view)]

    def tenant(self, tenant_id: str) -> TenantHealth | None:
        """One of them."""
        return self._view.get(tenant_id)

    def age_seconds(self) -> float | None:
        """Since the view was made; None before the first."""
        return None if self._looked_at is None else time.monotonic() - self._looked_at

    def counts(self) -> dict[tuple[Level, str], int]:
        """How many tenants have each reason."""
        return Counter((reason.level, reason.code) for item in self._view.values() for reason in item.verdict.reasons)

    def states(self) -> dict[TenantState, int]:
        """How many tenants stand where."""
        return Counter(item.seen.state for item in self._view.values())

    def _rows(self) -> list[tuple[TenantRow, EndpointsRow | None, StandingRow | None]]:
        found: list[tuple[TenantRow, EndpointsRow | None, StandingRow | None]] = []
        after = ""
        while True:
            with self._unit_of_work() as uow:
                page = uow.tenants.page(after=after, limit=PAGE)
                ids = [row.tenant_id for row in page]
                endpoints, standings = uow.endpoints.get_many(ids), uow.standings.get_many(ids)
            found += [(row, endpoints.get(row.tenant_id), standings.get(row.tenant_id)) for row in page]
            if len(page) < PAGE:
                return found
            after = ids[-1]

    def _ask(self, tenant: TenantRow, endpoints: EndpointsRow | None, standing: StandingRow | None) -> None:
        look = self._looks.setdefault(tenant.tenant_id, _Look())
        try:
            look.ends_at = self._sources.ends(tenant.tenant_id)
            look.edge_status = self._sources.edge(tenant.tenant_id)
            if endpoints is not None and standing is not None and not standing.code:
                look.health = self._sources.channels(endpoints).health()
                look.health_at = time.monotonic()
        except FrostbyteError as error:
            _log.info("plane_tells_nothing", code=error.code)
        except Exception as error:  # noqa: BLE001 - others are looked at all the same
            _log.error("look_broke", error=type(error).__name__)

    def _judged(
        self,
        tenant: TenantRow,
        standing: StandingRow | None,
        lag: Lag | None,
        alerts: tuple[str, ...],
        now: datetime,
        backup: BackupAge | None,
    ) -> TenantHealth:
        look = self._looks.get(tenant.tenant_id, _Look())
        told = look.health if time.monotonic() - look.health_at < STALE_SECONDS else None
        heard = standing.acknowledged_at if standing is not None else None
        seen = Seen(
            state=tenant.state,
            edge_status=look.edge_status,
            acknowledged=standing is not None and standing.acknowledged_version >= tenant.standing_version,
            answered_seconds=None if heard is None else max(0.0, (now - heard).total_seconds()),
            channel_code=standing.code if standing is not None else "",
            ledger_seconds=lag.seconds if lag is not None else None,
            ledger_lag_events=lag.events if lag is not None else None,
            gateway_ready=told.ready if told is not None else None,
            stored_bytes=told.stored_bytes if told is not None else None,
            quota_bytes=told.quota_bytes if told is not None else None,
            oldest_job_seconds=told.oldest_job_seconds if told is not None else None,
            signatures_age_seconds=told.signatures_age_seconds if told is not None else None,
            signatures_limit_seconds=told.signatures_limit_seconds if told is not None else None,
            signatures_trouble=told.signatures_trouble if told is not None else "",
            intake_refused=told.intake_refused if told is not None else "",
            certificate_seconds=_first(told.certificate_not_after if told is not None else None, look.ends_at, now),
            stand_ins=told.stand_ins if told is not None else (),
            backup_seconds=backup.seconds if backup is not None else None,
            backup_period_seconds=backup.period_seconds if backup is not None else 0.0,
            alerts=alerts,
        )
        return TenantHealth(
            tenant_id=tenant.tenant_id,
            project_id=tenant.project_id,
            seen=seen,
            verdict=judge(seen),
            model=told.model if told is not None else "",
            version=told.version if told is not None else "",
            backed_up=backup is None or backup.good,
        )


def _first(told: str | None, ends_at: datetime | None, now: datetime) -> float | None:
    """Until the first certificate ends: of the plane's channel, or of those that are kept here."""
    own = (ends_at - now).total_seconds() if ends_at is not None else None
    return min((left for left in (_until(told, now), own) if left is not None), default=None)


def _until(moment: str | None, now: datetime) -> float | None:
    if moment is None:
        return None
    try:
        return (datetime.fromisoformat(moment) - now).total_seconds()
    except (ValueError, TypeError):  # a plane may tell anything
        return None


def critical(look: Callable[[str], TenantHealth | None], tenant_id: str) -> str:
    """Why a tenant is in a critical state, as a code; '' where it is not, or nobody has looked yet."""
    found = look(tenant_id)
    if found is None or found.verdict.level is not Level.CRITICAL:
        return ""
    return found.verdict.reasons[0].code
