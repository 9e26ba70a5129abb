"""What a plane's control channel needs of the plane: its standing, its log, and how it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from frostbyte import __version__
from frostbyte.adapters.clamav.clamd import signatures_made_at
from frostbyte.adapters.postgres import PostgresStore
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.obeying import Following, Obeying, take_over
from frostbyte.kernel import verifying_keys
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.feed import Feed
from frostbyte.kernel.channel import PlaneHealth
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import JobTally
from frostbyte.kernel.settings import Roles, Settings

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One plane's channel."""

    plane: Plane
    obeying: Obeying
    feed: Feed

    def health(self) -> PlaneHealth:
        """How the plane does. It answers also when the database does not, and says so."""
        plane, now = self.plane, self.plane.clock.now()
        stored = quota = size = 0
        jobs: dict[str, int] = {}
        oldest: float | None = None
        try:
            with plane.store.unit_of_work() as uow:
                jobs, stored, size = uow.jobs.counts(), uow.documents.stored_bytes(), uow.audit.log_size()
                oldest = _oldest_seconds(uow.jobs.tally(now), now)
            quota = plane.configuration.current().storage_quota_gb * 1_000_000_000
            ready = True
        except FrostbyteError:
            ready = False
        made_at = signatures_made_at(plane.watch.scanner_version)
        return PlaneHealth(
            ready=ready,
            jobs=jobs,
            oldest_job_seconds=oldest,
            stored_bytes=stored,
            quota_bytes=quota,
            signatures_age_seconds=max(0.0, (now - made_at).total_seconds()) if made_at is not None else None,
            model=plane.ports.embedder.label,
            certificate_not_after=not_after(Path(plane.settings.channel_certificate)),
            log_size=size,
            version=__version__,
            stand_ins=tuple(plane.stand_ins),
        )


def channel(plane: Plane) -> Channel | None:
    """The plane's channel; None for a process without one."""
    if plane.obeying is None:
        return None
    return Channel(plane=plane, obeying=plane.obeying, feed=Feed(plane.store.unit_of_work))


def standing(settings: Settings, store: PostgresStore, clock: Clock, signer: Signer) -> tuple[Gate, Obeying | None]:
    """The process's gate as the plane stands now, and what acts on directives where the control plane reaches it."""
    gate = Gate()
    if settings.roles is not Roles.SERVING and settings.channel_listen is not None:
        obeying = Obeying(
            tenant_id=settings.tenant_id,
            unit_of_work=store.unit_of_work,
            clock=clock,
            gate=gate,
            pinned=verifying_keys.read_file(Path(settings.control_keys)),
            mode=settings.mode,
            needs_lease=settings.needs_lease,
            log_key=signer.verifier_key,
        )
        obeying.begin()
        return gate, obeying
    if settings.roles is not Roles.SERVING:
        take_over(store.unit_of_work, clock, needs_lease=False)
    Following(store.unit_of_work, clock, gate).turn()
    return gate, None


def not_after(path: Path) -> str | None:
    """When the certificate in the file ends; None if it cannot be read."""
    try:
        return iso(x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc)
    except (OSError, ValueError):
        return None


def _oldest_seconds(tallies: list[JobTally], now: datetime) -> float | None:
    """Age of the oldest job that is not dead: its id is a UUIDv7, whose first 48 bits are milliseconds since 1970."""
    made = [(tally.oldest.int >> 80) / 1000 for tally in tallies if not tally.dead]
    return max(0.0, (now - datetime.fromtimestamp(min(made), UTC)).total_seconds()) if made else None
