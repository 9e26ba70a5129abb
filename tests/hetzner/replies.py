"""What the Cloud API replies, described from its public reference in types of our own, field by field.

It is written apart from the code that makes the replies (described.py holds them to it). A field too many, one too few,
a value of another type or outside its list of values is an error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Id = Annotated[int, Meta(ge=1, le=9_007_199_254_740_991)]
Text = Annotated[str, Meta(min_length=1)]
Labels = dict[str, str]
Ipv4 = Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")]
Ipv6Net = Annotated[str, Meta(pattern=r"^[0-9a-f:]+/64$")]
Cidr = Annotated[str, Meta(pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$")]
Mac = Annotated[str, Meta(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")]
Money = Annotated[str, Meta(pattern=r"^\d+\.\d+$")]
Zone = Literal["eu-central", "us-east", "us-west", "ap-southeast"]
Architecture = Literal["x86", "arm"]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Pagination(Strict):
    page: Id
    per_page: Annotated[int, Meta(ge=1, le=50)]
    previous_page: Id | None
    next_page: Id | None
    last_page: Id | None
    total_entries: Annotated[int, Meta(ge=0)] | None


class Paged(Strict):
    pagination: Pagination


class Fault(Strict):
    code: Text
    message: Text
    details: dict[str, Any]


class Refusal(Strict):
    error: Fault


class ActionError(Strict):
    code: Text
    message: Text


class Resource(Strict):
    id: Id
    type: Literal["server", "network", "firewall", "volume", "primary_ip", "image", "zone"]


class Action(Strict):
    id: Id
    command: Text
    status: Literal["running", "success", "error"]
    progress: Annotated[int, Meta(ge=0, le=100)]
    started: datetime
    finished: datetime | None
    resources: Annotated[list[Resource], Meta(min_length=1)]
    error: ActionError | None


class Location(Strict):
    id: Id
    name: Text
    description: Text
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
    city: Text
    latitude: float
    longitude: float
    network_zone: Zone


class Deprecation(Strict):
    announced: datetime
    unavailable_after: datetime


class Price(Strict):
    net: Money
    gross: Money


class TypePrice(Strict):
    location: Text
    price_hourly: Price
    price_monthly: Price
    included_traffic: int
    price_per_tb_traffic: Price


class TypeLocation(Strict):
    id: Id
    name: Text
    deprecation: Deprecation | None
    available: bool
    recommended: bool


class ServerType(Strict):
    id: Id
    name: Text
    description: Text
    category: str | None
    cores: Id
    memory: float
    disk: Id
    deprecated: bool
    deprecation: Deprecation | None
    storage_type: Literal["local", "network"]
    cpu_type: Literal["shared", "dedicated"]
    architecture: Architecture
    prices: list[TypePrice]
    locations: list[TypeLocation]


class DatacenterTypes(Strict):
    supported: list[Id]
    available: list[Id]
    available_for_migration: list[Id]


class Datacenter(Strict):
    id: Id
    name: Text
    description: Text
    location: Location
    server_types: DatacenterTypes


class CreatedFrom(Strict):
    id: Id
    name: Text


class Delete(Strict):
    delete: bool


class Image(Strict):
    id: Id
    type: Literal["system", "app", "snapshot", "backup", "temporary"]
    status: Literal["available", "creating", "unavailable"]
    name: Text | None
    description: Text
    image_size: float | None
    disk_size: float
    created: datetime
    created_from: CreatedFrom | None
    bound_to: Id | None
    os_flavor: Literal["ubuntu", "centos", "debian", "fedora", "rocky", "alma", "opensuse", "unknown"]
    os_version: str | None
    rapid_deploy: bool
    protection: Delete
    deprecated: datetime | None
    deprecation: Deprecation | None
    labels: Labels
    deleted: datetime | None
    architecture: Architecture


class PublicIpv4(Strict):
    id: Id
    ip: Ipv4
    blocked: bool
    dns_ptr: str


class Pointer(Strict):
    ip: str
    dns_ptr: str


class PublicIpv6(Strict):
    id: Id
    ip: Ipv6Net
    blocked: bool
    dns_ptr: list[Pointer]


class FirewallOf(Strict):
    id: Id
    status: Literal["applied", "pending"]


class PublicNet(Strict):
    ipv4: PublicIpv4 | None
    ipv6: PublicIpv6 | None
    floating_ips: list[Id]
    firewalls: list[FirewallOf]


class PrivateNet(Strict):
    network: Id
    ip: Ipv4
    alias_ips: list[Ipv4]
    mac_address: Mac


class ServerProtection(Strict):
    delete: bool
    rebuild: bool


class Server(Strict):
    id: Id
    name: Text
    status: Literal[
        "running", "initializing", "starting", "stopping", "off", "deleting", "migrating", "rebuilding", "unknown"
    ]
    created: datetime
    public_net: PublicNet
    private_net: list[PrivateNet]
    server_type: ServerType
    location: Location
    datacenter: Datacenter
    image: Image | None
    iso: None
    rescue_enabled: bool
    locked: bool
    backup_window: str | None
    outgoing_traffic: int | None
    ingoing_traffic: int | None
    included_traffic: int | None
    protection: ServerProtection
    labels: Labels
    volumes: list[Id]
    load_balancers: list[Id]
    primary_disk_size: Id
    placement_group: None


class Subnet(Strict):
    type: Literal["cloud", "server", "vswitch"]
    ip_range: Cidr
    network_zone: Zone
    gateway: Ipv4
    vswitch_id: Id | None


class Route(Strict):
    destination: Cidr
    gateway: Ipv4


class Network(Strict):
    id: Id
    name: Text
    created: datetime
    ip_range: Cidr
    subnets: list[Subnet]
    routes: list[Route]
    expose_routes_to_vswitch: bool
    servers: list[Id]
    load_balancers: list[Id]
    protection: Delete
    labels: Labels


class Member(Strict):
    id: Id
    type: Literal["server", "load_balancer"]
    ip: Ipv4
    alias_ips: list[Ipv4]
    subnet: Cidr
    status: Literal["ok", "attaching", "detaching", "updating", "error"]


class Rule(Strict):
    direction: Literal["in", "out"]
    protocol: Literal["tcp", "udp", "icmp", "esp", "gre"]
    port: str | None
    source_ips: list[str]
    destination_ips: list[str]
    description: str | None


class ServerRef(Strict):
    id: Id


class SelectorRef(Strict):
    selector: Text


class AppliedServer(Strict, tag="server"):
    server: ServerRef


class AppliedSelector(Strict, tag="label_selector"):
    label_selector: SelectorRef
    applied_to_resources: list[AppliedServer]


class Firewall(Strict):
    id: Id
    name: Text
    created: datetime
    labels: Labels
    rules: list[Rule]
    applied_to: list[AppliedServer | AppliedSelector]


class Volume(Strict):
    id: Id
    name: Text
    created: datetime
    server: Id | None
    location: Location
    size: Annotated[int, Meta(ge=10, le=10_240)]
    linux_device: Annotated[str, Meta(pattern=r"^/dev/disk/by-id/scsi-0HC_Volume_\d+$")]
    format: Literal["ext4", "xfs"] | None
    status: Literal["available", "creating"]
    protection: Delete
    labels: Labels


class PrimaryIp(Strict):
    id: Id
    name: Text
    created: datetime
    ip: Annotated[str, Meta(pattern=r"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]+/64)$")]
    type: Literal["ipv4", "ipv6"]
    location: Location
    datacenter: Datacenter
    assignee_id: Id | None
    assignee_type: Literal["server"]
    auto_delete: bool
    blocked: bool
    dns_ptr: list[Pointer]
    protection: Delete
    labels: Labels


class SshKey(Strict):
    id: Id
    name: Text
    created: datetime
    fingerprint: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}:){15}[0-9a-f]{2}$")]
    public_key: Text
    labels: Labels


class NameServers(Strict):
    assigned: list[Text]
    delegated: list[Text]
    delegation_last_check: datetime | None
    delegation_status: Literal["valid", "partially-valid", "invalid", "lame", "unregistered", "unknown"]


class DnsZone(Strict):
    id: Id
    name: Text
    created: datetime
    mode: Literal["primary", "secondary"]
    ttl: Id
    labels: Labels
    protection: Delete
    status: Literal["ok", "updating", "error"]
    record_count: Annotated[int, Meta(ge=0)]
    registrar: Literal["hetzner", "other", "unknown"]
    primary_nameservers: list[Any]
    authoritative_nameservers: NameServers


class Change(Strict):
    change: bool


class DnsRecord(Strict):
    value: Text
    comment: str


class RecordSet(Strict):
    zone: Id
    id: Annotated[str, Meta(pattern=r"^[^/]+/[A-Z]+$")]
    name: Text
    type: Text
    ttl: Id | None
    labels: Labels
    protection: Change
    records: Annotated[list[DnsRecord], Meta(min_length=1)]


class GbPrice(Strict):
    price_per_gb_month: Price


class Percentage(Strict):
    percentage: Money


class TypePrices(Strict):
    id: Id
    name: Text
    prices: list[TypePrice]


class IpPrice(Strict):
    location: Text
    price_hourly: Price
    price_monthly: Price


class IpPrices(Strict):
    type: Literal["ipv4", "ipv6"]
    prices: list[IpPrice]


class Pricing(Strict):
    currency: Literal["EUR", "USD"]
    vat_rate: Money
    image: GbPrice
    volume: GbPrice
    server_backup: Percentage
    server_types: list[TypePrices]
    primary_ips: list[IpPrices]
    floating_ips: list[Any]
    load_balancer_types: list[Any]
