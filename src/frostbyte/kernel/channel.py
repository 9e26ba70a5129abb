"""What a plane answers its control plane: the bodies of the control channel, as both sides write and read them."""

from __future__ import annotations

from typing import Final

import msgspec

from frostbyte.kernel.errors import Conflict
from frostbyte.kernel.records import PlaneState, Upkeep

EVENTS_LIMIT: Final = 10_000
"""Events in one answer at most."""
EVENTS_BYTES: Final = 16 << 20
"""Bytes of such an answer at most, unless a single event is longer; who asks goes on after the last."""
CHECKPOINTS_LIMIT: Final = 1000
"""Checkpoints in one answer at most."""


class PlaneStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a plane stands, as it tells it itself."""

    tenant_id: str
    version: int
    """Of the last directive that it acted on; 0 before the first."""
    state: PlaneState
    nonce: str
    """What the next directive has to carry."""
    lease_seconds_left: float | None
    """How long it may begin work; None for a plane that needs no lease."""
    mode: str
    log_key: str
    """Verifier key of its audit log."""
    in_flight: int
    """Requests that it is still answering."""
    config_version: int = 0
    """The control plane's number of the configuration that it last took; 0 before the first."""
    holds: int = 0
    """Legal holds that are in force: a tenant with one is not removed."""


class PlaneCheckpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Signed states of a plane's log."""

    checkpoints: tuple[str, ...]
    """Notes, smallest first."""
    latest: str | None
    """The newest of all; None for an empty log."""


class PlaneHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a plane does."""

    ready: bool
    """Whether its database answers."""
    jobs: dict[str, int]
    """Open jobs by stage, and `dead`."""
    oldest_job_seconds: float | None
    """Age of the oldest open job; None if there is none."""
    stored_bytes: int
    quota_bytes: int
    signatures_age_seconds: float | None
    """Since the oldest of the scanners' signatures were made; None where nothing is scanned or one does not say."""
    model: str
    """What embeds passages."""
    certificate_not_after: str | None
    """When the channel's own certificate ends (RFC 3339); None without one."""
    log_size: int
    """Numbered events."""
    version: str
    """Of Frostbyte."""
    stand_ins: tuple[str, ...]
    signatures_limit_seconds: float | None = None
    """The tenant's limit of their age; None for no limit."""
    signatures_trouble: str = ""
    """Why a scanner may call nothing clean, as a code; '' where all may."""
    intake_refused: str = ""
    """Why no uploads are taken, as a code; '' where they are."""


class PlaneUpkeep(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plane has come with standing still, and what it holds: what an update compares."""

    upkeep: Upkeep
    documents: dict[str, int]
    """By state."""
    jobs: dict[str, int]
    """That wait, by stage; and `dead`."""
    config_version: int
    leases: int
    """Jobs that somebody is at."""
    writing: int
    """Requests that change something and are being answered."""
    settled: bool
    """Whether every event is in the log and vouched for."""
    log_size: int
    checkpoint_size: int
    root: str
    """Of the newest checkpoint, hexadecimal."""
    version: str
    """Of Frostbyte."""
    parts: dict[str, str] = {}
    """What was tried on request, by part: `ok` or a code."""

    def holds(self) -> dict[str, object]:
        """What an update must not change, by name."""
        names = ("documents", "jobs", "config_version", "settled", "log_size", "checkpoint_size", "root")
        return {name: getattr(self, name) for name in names}


def tenant_held(holds: int) -> Conflict:
    """The error for removing a tenant whose plane has legal holds, on both sides of the channel."""
    return Conflict(
        "tenant_held",
        f"{holds} legal hold{'s are' if holds != 1 else ' is'} in force in this tenant's plane, so it is not removed.",
        "Have every hold released in the plane (`frostbyte hold list` shows them), then ask again.",
    )
