"""What a plane's control channel needs of the plane: its standing, its log, and how it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from frostbyte import __version__
from frostbyte.adapters.postgres import PostgresStore
from frostbyte.bootstrap import trying
from frostbyte.data_plane.freshness import Signatures
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.obeying import Following, Obeying, take_over
from frostbyte.data_plane.upkeep import UpkeepDesk, told
from frostbyte.kernel import verifying_keys
from frostbyte.kernel.audit.checkpoint import Signer
from frostbyte.kernel.audit.feed import Feed
from frostbyte.kernel.channel import PlaneHealth, PlaneUpkeep
from frostbyte.kernel.clock import Clock, iso
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import JobTally, Upkeep
from frostbyte.kernel.settings import Roles, Settings

if TYPE_CHECKING:
    from frostbyte.bootstrap.data import Plane


_DAY: Final = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One plane's channel."""

    plane: Plane
    obeying: Obeying
    feed: Feed
    desk: UpkeepDesk

    def upkeep(self, *, tried: bool) -> PlaneUpkeep:
        """How far the plane has come with standing still, and how its parts are if they are to be tried."""
        plane = self.plane
        ping = plane.queue.ping if plane.queue is not None else None
        found = dict(trying.parts(plane.ports, plane.store, ping)) if tried else {}
        parts = {name: "ok" if error is None else error.code for name, error in found.items()}
        return told(self.desk.state(), plane.gate.writing, __version__, parts)

    def keep(self, upkeep: Upkeep, *, updated_to: str) -> PlaneUpkeep:
        """Close, freeze or open the plane; when this returns, this process knows."""
        plane = self.plane
        state = self.desk.keep(upkeep, updated_to)
        self.obeying.turn()
        plane.sequencer.wake()
        return told(state, plane.gate.writing, __version__, {})

    def health(self) -> PlaneHealth:
        """How the plane does. It answers also when the database does not, and says so."""
        plane, now = self.plane, self.plane.clock.now()
        stored = quota = size = 0
        jobs: dict[str, int] = {}
        oldest: float | None = None
        signatures: Signatures | None = None
        try:
            with plane.store.unit_of_work() as uow:
                jobs, stored, size = uow.jobs.counts(), uow.documents.stored_bytes(), uow.audit.log_size()
                oldest = _oldest_seconds(uow.jobs.tally(now), now)
            quota = plane.configuration.current().storage_quota_gb * 1_000_000_000
            signatures, ready = plane.freshness.look(), True
        except FrostbyteError:
            ready = False
        return PlaneHealth(
            ready=ready,
            jobs=jobs,
            oldest_job_seconds=oldest,
            stored_bytes=stored,
            quota_bytes=quota,
            signatures_age_seconds=_age(signatures.made_at, now) if signatures is not None else None,
            signatures_limit_seconds=signatures.limit_days * _DAY if signatures and signatures.limit_days else None,
            signatures_trouble=signatures.trouble if signatures is not None else "",
            intake_refused=signatures.refusal.code if signatures and signatures.refusal else "",
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
    unit_of_work = plane.store.unit_of_work
    desk = UpkeepDesk(plane.settings.tenant_id, unit_of_work, plane.clock)
    return Channel(plane=plane, obeying=plane.obeying, feed=Feed(unit_of_work), desk=desk)


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


def _age(made_at: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - made_at).total_seconds()) if made_at is not None else None


def _oldest_seconds(tallies: list[JobTally], now: datetime) -> float | None:
    """Age of the oldest job that is not dead: its id is a UUIDv7, whose first 48 bits are milliseconds since 1970."""
    made = [(tally.oldest.int >> 80) / 1000 for tally in tallies if not tally.dead]
    return max(0.0, (now - datetime.fromtimestamp(min(made), UTC)).total_seconds()) if made else None
