"""The port `Dns` in memory: zones of its own, or those of a simulated world."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from frostbyte.adapters.dns.hetzner import HetznerDns, unwritten
from frostbyte.adapters.dns.records import found, fresh, plain, removable, unreachable, zone_missing
from frostbyte.adapters.hetzner.calls import Tap
from frostbyte.adapters.hetzner.memory import WorldCalls, waiting_in
from frostbyte.adapters.hetzner.world.world import World
from frostbyte.control_plane.provisioning.resources import FROSTBYTE, MANAGED_BY, Found, WantedRecord


class MemoryDns:
    """Zones whose name servers answer at once.

    Args:
        zones: that exist.
    """

    def __init__(self, zones: Iterable[str]) -> None:
        self._zones = frozenset(zones)
        self._records: dict[tuple[str, str, str], Found] = {}
        self._lock = threading.Lock()

    def find(self, zone: str, name: str, type: str) -> Found | None:
        """Whoever's they are."""
        self._check(zone)
        return self._records.get((zone, name, type))

    def put(self, wanted: WantedRecord) -> Found:
        """Make or replace ours."""
        self._check(wanted.zone)
        key = (wanted.zone, wanted.name, wanted.type)
        with self._lock:
            there = self._records.get(key)
            if not fresh(wanted, there):
                self._records[key] = found(*key, wanted.values, wanted.ttl, wanted.labels)
            return self._records[key]

    def remove(self, zone: str, name: str, type: str) -> None:
        """Remove ours; what is not there is no error."""
        self._check(zone)
        with self._lock:
            if removable(self._records.get((zone, name, type)), zone):
                del self._records[zone, name, type]

    def observe(self) -> list[Found]:
        """With our labels."""
        return [one for one in list(self._records.values()) if one.labels.get(MANAGED_BY) == FROSTBYTE]

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """What was put, at once."""
        there = self.find(zone, name, type)
        return tuple(there.facts["values"]) if there else ()

    def plant(self, zone: str, name: str, type: str, values: Iterable[str], ttl: int = 300) -> None:
        """Records of somebody else."""
        self._records[zone, name, type] = found(zone, name, type, values, ttl, {})

    def _check(self, zone: str) -> None:
        if zone not in self._zones:
            raise zone_missing(zone)


class WorldAuthority:
    """What the name servers of a world's zones answer."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """Raises Unavailable("dns_unreachable") for a zone that no server of the world has."""
        values = self._world.answers(zone if name == "@" else f"{name}.{zone}", type)
        if values is None:
            raise unreachable(f"none of the name servers of {zone} answers with authority")
        return tuple(sorted(plain(type, unwritten(type, value)) for value in values))


def memory_dns(world: World, token: str, *, tap: Tap | None = None) -> HetznerDns:
    """The zones of a world's project."""
    calls = WorldCalls(world, token, tap=tap)
    return HetznerDns(calls, waiting_in(world, calls), WorldAuthority(world))
