"""What exists in the world. Every record can be written as JSON and read back, so a world survives a restart."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

Ref: TypeAlias = tuple[str, int]
"""A resource as actions name it: `("server", 4711)`."""


class Record(msgspec.Struct, kw_only=True):
    """What all resources have."""

    id: int
    name: str
    created: datetime
    labels: dict[str, str]
    protected: bool = False
    """Against deletion."""


class PrivateNet(msgspec.Struct, kw_only=True):
    """A server's place in a network."""

    network: int
    ip: str
    subnet: str
    mac_address: str
    alias_ips: list[str] = []


class Server(Record, kw_only=True):
    """A server."""

    type: str
    location: str
    image: int | None
    status: str
    disk: int
    """Gigabytes of its own disk; a change of type may leave it as it was."""
    ipv4: int | None = None
    """A primary IP's id."""
    ipv6: int | None = None
    private: list[PrivateNet] = []
    user_data: str = ""
    ssh_keys: list[str] = []
    """Public keys, as they were when it was made."""
    rebuild_protected: bool = False
    boots: bool = True
    starts: int = 0
    """How often it was started, reboots included."""

    @property
    def public(self) -> bool:
        """Whether it has any public address."""
        return self.ipv4 is not None or self.ipv6 is not None


class Subnet(msgspec.Struct, kw_only=True):
    """A range within a network."""

    ip_range: str
    zone: str
    type: str = "cloud"


class Route(msgspec.Struct, kw_only=True):
    """A route within a network."""

    destination: str
    gateway: str


class Network(Record, kw_only=True):
    """A private network."""

    ip_range: str
    subnets: list[Subnet]
    routes: list[Route] = []
    expose_routes_to_vswitch: bool = False


class Rule(msgspec.Struct, kw_only=True):
    """One rule of a firewall."""

    direction: str
    protocol: str
    port: str | None = None
    source_ips: list[str] = []
    destination_ips: list[str] = []
    description: str | None = None


class Firewall(Record, kw_only=True):
    """Rules and where they apply."""

    rules: list[Rule]
    servers: list[int] = []
    """Applied to by name."""
    selectors: list[str] = []
    applied: dict[int, str] = {}
    """By server: `pending` or `applied`, however it got there."""
    lingering: int = 0
    """Servers that have gone and are still being taken off."""


class Volume(Record, kw_only=True):
    """A disk that outlives servers."""

    size: int
    location: str
    status: str
    server: int | None = None
    format: str | None = None

    @property
    def device(self) -> str:
        """How a server sees it."""
        return f"/dev/disk/by-id/scsi-0HC_Volume_{self.id}"


class PrimaryIp(Record, kw_only=True):
    """A public address."""

    ip: str
    type: str
    location: str
    assignee: int | None = None
    auto_delete: bool = False


class SshKey(Record, kw_only=True):
    """A public key."""

    public_key: str
    fingerprint: str


class Image(Record, kw_only=True):
    """What a server's disk is made from."""

    type: str
    status: str
    description: str
    architecture: str
    disk_size: int
    """Gigabytes that a server needs at least."""
    image_size: float | None = None
    os_flavor: str = "unknown"
    os_version: str | None = None
    created_from: tuple[int, str] | None = None
    announced: datetime | None = None
    unavailable_after: datetime | None = None


class ZoneRecord(msgspec.Struct, kw_only=True):
    """One value of a set."""

    value: str
    comment: str = ""


class RecordSet(msgspec.Struct, kw_only=True):
    """All records of one name and type."""

    name: str
    type: str
    ttl: int | None
    records: list[ZoneRecord]
    labels: dict[str, str] = {}
    protected: bool = False
    """Against every change."""
    given: bool = False
    """Made with the zone: its SOA and NS."""


class Zone(Record, kw_only=True):
    """A DNS zone."""

    ttl: int
    sets: dict[str, RecordSet]
    """By `name/type`."""
    published: dict[str, RecordSet]
    """What its name servers answer."""
    serial: int = 1


class Action(msgspec.Struct, kw_only=True):
    """Work that the world does in its own time.

    Attributes:
        effect: name of the function of `effects` that is applied when it ends well.
        arguments: for it.
        seconds: what it takes, from when it begins.
        due: when that is over; None while it waits for the action `after`.
        fails: the code that it ends with instead; '' for none.
        drives: the driver's method that runs meanwhile; '' for none.
        locks: what no other action may work on meanwhile.
    """

    id: int
    command: str
    resources: list[Ref]
    status: str
    started: datetime
    effect: str
    arguments: dict[str, Any]
    seconds: float
    finished: datetime | None = None
    due: datetime | None = None
    after: int | None = None
    fails: str = ""
    drives: str = ""
    locks: list[Ref] = []
    error: str = ""


class Event(msgspec.Struct, kw_only=True):
    """What happens later by itself, without an action that shows it."""

    due: datetime
    effect: str
    arguments: dict[str, Any]


class Charge(msgspec.Struct, kw_only=True):
    """Something that is or was there, and what it costs. Free things are on it as well: they can be left behind."""

    kind: str
    id: str
    name: str
    since: datetime
    until: datetime | None = None
    hourly: Decimal = Decimal(0)
    monthly: Decimal = Decimal(0)
    with_server: int | None = None
    """An address that came with a server and goes with it."""
    labels: dict[str, str] = {}


class Project(msgspec.Struct, kw_only=True):
    """Everything that one token sees."""

    name: str
    servers: dict[int, Server] = {}
    networks: dict[int, Network] = {}
    firewalls: dict[int, Firewall] = {}
    volumes: dict[int, Volume] = {}
    primary_ips: dict[int, PrimaryIp] = {}
    ssh_keys: dict[int, SshKey] = {}
    images: dict[int, Image] = {}
    """Its snapshots; system images belong to all."""
    zones: dict[int, Zone] = {}
    actions: dict[int, Action] = {}
    events: list[Event] = []
    charges: list[Charge] = []
    quotas: dict[str, int] = {}
    """Other limits than `limits.QUOTAS`."""
    remaining: float = -1.0
    """Requests left; negative before the first one."""
    refilled: datetime | None = None


class Grant(msgspec.Struct, kw_only=True):
    """What a token may."""

    project: str
    readonly: bool = False
