"""Which service runs on which host, and how much memory each may take: one table, so that a server is large enough.

The figures are the limits that the engine enforces on each container (deploy/compose). What is placed on a host may
take all of its limits at once: they and a reserve for the system have to fit into the memory that the server is sold
with, so no service is killed for what another one took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from frostbyte.control_plane.provisioning.resources import HostRole


class Shape(StrEnum):
    """How many servers a tenant has."""

    SMALL = "small"
    """One, with everything on it."""
    STANDARD = "standard"
    """A gateway, workers and a database's server, each its own."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A service and where it runs.

    Attributes:
        role: of the host in shape `standard`; in shape `small` everything of a tenant runs on `single`.
        memory_mb: its limit, mebibytes.
        stored: whether it keeps what it has on the volume.
    """

    service: str
    role: HostRole
    memory_mb: int
    stored: bool = False


TABLE: Final = (
    Placed(service="intake-gateway", role=HostRole.GATEWAY, memory_mb=3072),
    Placed(service="serving", role=HostRole.GATEWAY, memory_mb=3072),
    Placed(service="nomic-embed", role=HostRole.GATEWAY, memory_mb=2048),
    Placed(service="egress-proxy", role=HostRole.GATEWAY, memory_mb=128),
    Placed(service="plane-backup", role=HostRole.GATEWAY, memory_mb=768),
    Placed(service="celery-worker", role=HostRole.WORKER, memory_mb=8192),
    Placed(service="clamav", role=HostRole.WORKER, memory_mb=4096),
    Placed(service="postgres", role=HostRole.DB, memory_mb=1536, stored=True),
    Placed(service="qdrant", role=HostRole.DB, memory_mb=4096, stored=True),
    Placed(service="minio", role=HostRole.DB, memory_mb=2048, stored=True),
    Placed(service="redis", role=HostRole.DB, memory_mb=512),
    Placed(service="storage", role=HostRole.DB, memory_mb=512),
    Placed(service="storage-destroy", role=HostRole.DB, memory_mb=512),
    Placed(service="postgres", role=HostRole.EDGE, memory_mb=1024),
    Placed(service="control", role=HostRole.EDGE, memory_mb=1024),
    Placed(service="traefik", role=HostRole.EDGE, memory_mb=512),
    Placed(service="adopt", role=HostRole.EDGE, memory_mb=256),
    Placed(service="operator", role=HostRole.EDGE, memory_mb=256),
)

SYSTEM_MB: Final = 512
"""For systemd, sshd, the engine and its shims. An idle host of ours takes about half of it."""
SYSTEM_PERCENT: Final = 5
"""Of the memory that is sold: what firmware and the kernel's own tables take of it, so that no program ever sees it."""

TYPES: Final[Mapping[HostRole, tuple[str, ...]]] = MappingProxyType(
    {
        HostRole.GATEWAY: ("cx43", "cax31", "cpx42", "ccx23"),
        HostRole.WORKER: ("cx43", "cax31", "cpx42", "ccx23"),
        HostRole.DB: ("cx43", "cax31", "cpx42", "ccx23"),
        HostRole.SINGLE: ("cx53", "cax41", "cpx62", "ccx33"),
        HostRole.EDGE: ("cx23", "cax11", "cpx22", "cx33", "cpx32", "ccx13"),
        HostRole.BASTION: ("cx23", "cax11", "cpx22", "cx33", "cpx32", "ccx13"),
        HostRole.BUILDER: ("cx23", "cpx22", "cx33", "cax11", "cax21"),
    }
)
"""Server types of each role, best first: Hetzner's public price list, read 2026-11. cx22 and cx32 are sold no more."""


def roles(shape: Shape) -> tuple[HostRole, ...]:
    """The roles of a shape's hosts."""
    return (HostRole.SINGLE,) if shape is Shape.SMALL else (HostRole.GATEWAY, HostRole.WORKER, HostRole.DB)


def services(role: HostRole) -> tuple[str, ...]:
    """What runs on a host of this role, in the table's order."""
    return tuple(placed.service for placed in _placed(role))


def needed_mb(role: HostRole) -> int:
    """The limits of what runs there, together, in mebibytes."""
    return sum(placed.memory_mb for placed in _placed(role))


def usable_mb(memory_mb: int) -> int:
    """What a server that is sold with so much memory has left for services, in mebibytes."""
    return max(0, memory_mb - memory_mb * SYSTEM_PERCENT // 100 - SYSTEM_MB)


def fits(role: HostRole, memory_mb: int) -> bool:
    """Whether a server with so much memory can be of this role."""
    return needed_mb(role) <= usable_mb(memory_mb)


def _placed(role: HostRole) -> tuple[Placed, ...]:
    wanted = {HostRole.GATEWAY, HostRole.WORKER, HostRole.DB} if role is HostRole.SINGLE else {role}
    return tuple(placed for placed in TABLE if placed.role in wanted)
