"""Tries every way out of a network namespace that a process without rights has, and says what came of each.

It runs in the namespace of the container that is asked about (`docker run --network container:NAME`), so that it works
for images without a shell, and the standard library is all it needs. It believes a way to be closed when its own
kernel says so (no route, no neighbour, not permitted), and not because nobody answered: a packet that was dropped
somewhere outside has left all the same.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any, Final

_PROC: Final = Path("/proc/self/net")
_RESOLVERS: Final = Path("/etc/resolv.conf")
_UP: Final = 0x1
_VIA: Final = 0x2
"""Flags of a route (linux/route.h)."""
_COMPLETE: Final = 0x2
"""Flag of a neighbour whose hardware address is known (linux/if_arp.h)."""
_IP_RECVERR: Final = 11
"""linux/in.h; Python has no name for it. Then errors of a socket arrive that has no connection."""
_IP_OPTIONS: Final = 4
_AT_ONCE: Final = 32
_HOP_SECONDS: Final = 1.0
_LOOSE_SOURCE_ROUTE: Final = 131
"""RFC 791."""
_ETHERTYPE_IP: Final = 0x0800
_CLOSED: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL}
    | {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
)
"""With these nothing has left the namespace."""


class Way(StrEnum):
    """A way out."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    DNS = "dns"
    SOURCE_ROUTE = "source_route"
    RAW_IP = "raw_ip"
    RAW_FRAME = "raw_frame"


class Outcome(StrEnum):
    """What came of one attempt."""

    CLOSED = "closed"
    """The kernel of this namespace knows no way, or does not permit it: nothing has left."""
    SILENT = "silent"
    """Something was sent and nobody answered."""
    OPEN = "open"
    """Somebody answered, or a frame was put on the wire."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to get out.

    Attributes:
        to: where to, `address:port` or a name; '' where it does not matter.
        why: the kernel's word for it, or what was answered.
        holds: whether it is as it must be where nothing may leave.
    """

    way: Way
    to: str
    outcome: Outcome
    why: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class Route:
    """A default route.

    Attributes:
        via: the next hop; '' for the link itself.
        dead: whether nobody has the next hop's address, so that nothing can follow the route.
    """

    interface: str
    via: str
    dead: bool


def look(targets: Sequence[tuple[str, int]], names: Sequence[str], *, seconds: float = 5.0) -> dict[str, Any]:
    """Try all ways out at once; it takes about `seconds`, or no time where all are closed.

    Args:
        targets: address and port of hosts outside, at least one. They need not exist.
        names: that only a resolver outside could know. A few random letters are put before each.
        seconds: to wait for an answer. Above three, else a neighbour that does not exist is not known for one.

    Returns:
        `isolated`, the default `routes`, and the `attempts`, in a fixed order.

    Raises:
        ValueError: no target: a default route is only known for dead by what tried to follow it.
    """
    if not targets:
        raise ValueError("there must be a target")
    waiting = [*_each(targets, seconds), *_named(names, seconds), *_raw(targets)]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        attempts = list(pool.map(lambda one: one(), waiting))
    routes = list(default_routes())
    isolated = all(route.dead for route in routes) and all(one.holds for one in attempts)
    return {
        "isolated": isolated,
        "routes": [asdict(one) for one in routes],
        "attempts": [asdict(one) for one in attempts],
    }


def default_routes(net: Path = _PROC) -> Iterator[Route]:
    """The default routes of IPv4 and IPv6, from the kernel's tables.

    Args:
        net: the folder with the tables of a namespace.
    """
    known = {line[0] for line in _table(net / "arp") if int(line[2], 16) & _COMPLETE}
    for line in _table(net / "route"):
        flags = int(line[3], 16)
        if flags & _UP and int(line[1], 16) == 0 and int(line[7], 16) == 0:
            via = _address(line[2]) if flags & _VIA else ""
            yield Route(interface=line[0], via=via, dead=bool(via) and via not in known)
    for line in _table(net / "ipv6_route", head=0):
        # The loopback's is the kernel's own way of saying that there is none.
        if set(line[0]) == {"0"} and line[1] == "00" and line[9] != "lo":
            yield Route(interface=line[9], via=str(IPv6Address(bytes.fromhex(line[4]))), dead=False)


def neighbours(net: Path = _PROC) -> Iterator[tuple[str, str]]:
    """Interface and first address of each network that this namespace is on: where its bridge is."""
    for line in _table(net / "route"):
        if int(line[3], 16) & _UP and int(line[1], 16) and not int(line[3], 16) & _VIA:
            network = IPv4Network((_address(line[1]), _address(line[7])))
            if network.num_addresses > 2:
                yield line[0], str(network[1])


def _table(path: Path, head: int = 1) -> Iterator[list[str]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()[head:]
    except FileNotFoundError:  # a kernel without IPv6
        return
    yield from (line.split() for line in lines if line.strip())


def _address(hexadecimal: str) -> str:
    """The kernel prints addresses as numbers of this machine."""
    return str(IPv4Address(struct.pack("=I", int(hexadecimal, 16))))


_Try = Callable[[], Attempt]


def _each(targets: Sequence[tuple[str, int]], seconds: float) -> Iterator[_Try]:
    for host, port in targets:
        to = f"{host}:{port}"
        yield partial(_tried, Way.TCP, to, partial(_tcp, host, port, seconds))
        yield partial(_tried, Way.UDP, to, partial(_udp, host, port, b"frostbyte probe", seconds))
        yield partial(_tried, Way.UDP, f"{host}:53", partial(_udp, host, 53, _question("probe.example"), seconds))
        yield partial(_tried, Way.ICMP, host, partial(_icmp, host, seconds))
        for _, hop in neighbours():
            yield partial(_by_a_hop, host, port, hop)


def _by_a_hop(host: str, port: int, hop: str) -> Attempt:
    """A sender may name the hops. It reaches the bridge, and a host forwards it only where it was told to accept such
    packets: from in here, only an answer shows that."""
    found = _tried(Way.SOURCE_ROUTE, f"{host}:{port} by {hop}", partial(_routed, host, port, hop))
    return replace(found, holds=found.outcome is not Outcome.OPEN)


def _tried(way: Way, to: str, attempt: Callable[[], tuple[Outcome, str]]) -> Attempt:
    try:
        outcome, why = attempt()
    except TimeoutError:
        outcome, why = Outcome.SILENT, "no answer"
    except ConnectionRefusedError:  # that is an answer
        outcome, why = Outcome.OPEN, "ECONNREFUSED"
    except OSError as error:
        # A firewall on the way can say the same in its own packets; then there is a route that is not dead.
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        outcome, why = (Outcome.CLOSED if error.errno in _CLOSED else Outcome.SILENT), name
    return Attempt(way=way, to=to, outcome=outcome, why=why, holds=outcome is Outcome.CLOSED)


def _tcp(host: str, port: int, seconds: float) -> tuple[Outcome, str]:
    with socket.create_connection((host, port), timeout=seconds):
        return Outcome.OPEN, "connected"


def _udp(host: str, port: int, data: bytes, seconds: float) -> tuple[Outcome, str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return _exchanged(sender, (host, port), data, seconds)


def _routed(host: str, port: int, hop: str) -> tuple[Outcome, str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        option = struct.pack("!BBB4sB", _LOOSE_SOURCE_ROUTE, 7, 4, IPv4Address(hop).packed, 0)
        sender.setsockopt(socket.IPPROTO_IP, _IP_OPTIONS, option)
        return _exchanged(sender, (host, port), b"frostbyte probe", _HOP_SECONDS)


def _exchanged(sender: socket.socket, to: tuple[str, int], data: bytes, seconds: float) -> tuple[Outcome, str]:
    """A neighbour that does not exist is known for one after three seconds: until then the kernel asks for it."""
    sender.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    sender.settimeout(seconds)
    sender.connect(to)
    sender.send(data)
    answer = sender.recv(2048)
    return Outcome.OPEN, f"{len(answer)} bytes came back"


def _icmp(host: str, seconds: float) -> tuple[Outcome, str]:
    """An echo by the kernel's own ping sockets, which need no rights where Docker's defaults stand."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sender:
        return _exchanged(sender, (host, 0), struct.pack("!BBHHH", 8, 0, 0, 0, 1) + bytes(8), seconds)


def _named(names: Sequence[str], seconds: float) -> Iterator[_Try]:
    """Ask this container's own resolvers for a name that nobody has asked for before, so that no cache answers."""
    resolvers = _resolvers()
    for name in names:
        asked = f"{os.urandom(8).hex()}.{name}"
        yield from (partial(_asked, asked, resolver, seconds) for resolver in resolvers)


def _resolvers(path: Path = _RESOLVERS) -> list[str]:
    with suppress(OSError):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver"]
    return []


def _asked(name: str, resolver: str, seconds: float) -> Attempt:
    """An answer, be it that there is no such name, comes from outside; a failure (SERVFAIL, REFUSED) does not."""
    found = _tried(Way.DNS, f"{name} by {resolver}", partial(_answered, name, resolver, seconds))
    if found.why == "ECONNREFUSED":  # by a resolver that does not run
        found = replace(found, outcome=Outcome.CLOSED)
    return replace(found, holds=found.outcome is not Outcome.OPEN)


def _answered(name: str, resolver: str, seconds: float) -> tuple[Outcome, str]:
    with socket.socket(socket.AF_INET6 if ":" in resolver else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(seconds)
        return _code(sender, (resolver, 53), name)


def _code(sender: socket.socket, resolver: tuple[str, int], name: str) -> tuple[Outcome, str]:
    sender.connect(resolver)
    sender.send(_question(name))
    code = sender.recv(2048)[3] & 0xF
    known = {0: "answered", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}.get(code, f"code {code}")
    return (Outcome.OPEN if code in (0, 3) else Outcome.CLOSED), known


def _question(name: str) -> bytes:
    """A DNS message that asks for the IPv4 address of a name."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return os.urandom(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)


def _raw(targets: Sequence[tuple[str, int]]) -> Iterator[_Try]:
    """Past routes and rules of this namespace: packets and frames that are written by hand."""
    host, port = targets[0]
    yield partial(_tried, Way.RAW_IP, host, partial(_raw_ip, host))
    for interface, bridge in neighbours():
        yield partial(
            _tried, Way.RAW_FRAME, f"{host}:{port} on {interface}", partial(_raw_frame, interface, bridge, host, port)
        )


def _raw_ip(host: str) -> tuple[Outcome, str]:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender:
        sender.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FF, 0, 0), (host, 0))
    return Outcome.OPEN, "sent"


def _raw_frame(interface: str, bridge: str, host: str, port: int) -> tuple[Outcome, str]:
    """An IP packet for outside in a frame for the bridge: a host that forwards sends it on."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, _ETHERTYPE_IP))
        sender.send(_frame(sender.getsockname()[4], _hardware(bridge), _own(bridge), host, port))
    return Outcome.OPEN, "sent"


def _hardware(neighbour: str) -> bytes:
    """The bridge's hardware address; everybody's where it is not known."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", (neighbour, 9))
        time.sleep(0.2)
    found = [line[3] for line in _table(_PROC / "arp") if line[0] == neighbour and int(line[2], 16) & _COMPLETE]
    return bytes.fromhex(found[0].replace(":", "")) if found else b"\xff" * 6


def _own(neighbour: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((neighbour, 9))
        return str(asked.getsockname()[0])


def _frame(source: bytes, target: bytes, sender: str, host: str, port: int) -> bytes:
    payload = struct.pack("!HHHH", 40_000, port, 8, 0)  # UDP without a sum
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, IPv4Address(sender).packed, IPv4Address(host).packed
    )
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return target + source + struct.pack("!H", _ETHERTYPE_IP) + head + payload
