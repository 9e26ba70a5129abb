"""What a plane answers its control plane: the bodies of the control channel, as both sides write and read them."""

from __future__ import annotations

from typing import Final

import msgspec

from frostbyte.kernel.records import PlaneState

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
    """Since the scanner's signatures were made; None where nothing is scanned or the scanner does not say."""
    model: str
    """What embeds passages."""
    certificate_not_after: str | None
    """When the channel's own certificate ends (RFC 3339); None without one."""
    log_size: int
    """Numbered events."""
    version: str
    """Of Frostbyte."""
    stand_ins: tuple[str, ...]
