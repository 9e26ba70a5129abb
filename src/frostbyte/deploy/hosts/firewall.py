"""The packet filter of a host, as nftables reads it: one table of our own, replaced in one step.

Docker keeps its own rules in tables of its own, and what it publishes never passes `input`: it is rewritten and
forwarded. So this table hooks `forward` as well, before Docker's, and knows what was published by the port that was
asked for (`ct original`). What it drops is dropped for good; what it lets pass, Docker's rules may still refuse.

Docker is told to masquerade nothing. This table does it, for what it has let pass: without it, nothing of a container's
comes back from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from frostbyte.control_plane.provisioning.hosting import CHANNEL_PORT, GATEWAY_PORT, Surroundings
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.compose.options import EGRESS_PORT, EMBEDDER_PORT, STORE_PORTS
from frostbyte.deploy.hosts import layout
from frostbyte.kernel.networks import NOWHERE

_ESTABLISHED: Final = ("ct state invalid drop", "ct state { established, related } accept")
_NEIGHBOURS: Final = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept"
_OURS: Final = '"fb-*"'
_PUBLIC: Final = f"!= {{ {', '.join(NOWHERE)} }}"
_HEAD: Final = """\
#!/usr/sbin/nft -f
# Packet filter of a Frostbyte host ({role}). Made by the control plane: what is changed here, it replaces.
# Nothing enters, crosses or leaves but what is said below. Other tables, such as Docker's, are left alone.
table inet frostbyte
delete table inet frostbyte
"""


def rules(host: Surroundings) -> str:
    """The whole file: loaded at once or not at all, and again without a gap."""
    chains = [
        _chain("input", "type filter hook input priority filter - 10; policy drop;", _input(host)),
        _chain("forward", "type filter hook forward priority filter - 10; policy drop;", _forward(host)),
        _chain("output", "type filter hook output priority filter - 10; policy drop;", _output(host)),
    ]
    if host.role in layout.ENGINES:
        chains.append(
            _chain("outward", "type nat hook postrouting priority srcnat - 10; policy accept;", _outward(host))
        )
    return _HEAD.format(role=host.role.value) + "table inet frostbyte {\n" + "\n".join(chains) + "}\n"


def ways_out_ports(host: Surroundings) -> tuple[int, ...]:
    """The ports that the egress proxy may need, ascending."""
    return tuple(sorted({int(way.rpartition(":")[2]) for way in host.ways_out}))


def _input(host: Surroundings) -> Iterator[str]:
    yield from _ESTABLISHED
    yield 'iifname "lo" accept'
    yield _NEIGHBOURS
    yield 'udp sport 67 udp dport 68 accept comment "DHCP\'s answers"'
    if before := _ssh_from(host):
        yield f"ip saddr {_set(before)} tcp dport 22 accept"
    if host.role is HostRole.BASTION and host.control:
        yield f'ip saddr {_set(host.control)} tcp dport 22 accept comment "the control plane, on its way to hosts"'
    if host.role is HostRole.GATEWAY and (others := _others(host)):
        yield f'ip saddr {_set(others)} udp dport 123 accept comment "the time, for hosts without a way out"'


def _ssh_from(host: Surroundings) -> Sequence[str]:
    """Who knocks at SSH: a private host's gateway, everybody else's bastion."""
    if host.role in (HostRole.WORKER, HostRole.DB):
        return (host.gateway,)
    return host.bastion


def _forward(host: Surroundings) -> Iterator[str]:
    if host.role not in layout.ENGINES:
        return
    yield from _ESTABLISHED
    yield 'ip daddr 169.254.0.0/16 drop comment "the metadata of the cloud"'
    for bridge in (layout.PLANE_BRIDGE, layout.HOSTS_BRIDGE):
        yield f'iifname "{bridge}" oifname "{bridge}" accept comment "within a network, where bridges are filtered"'
    for sources, ports in _published(host):
        at = f"ip saddr {_set(sources)} " if sources else ""
        yield f"iifname != {_OURS} ct status dnat meta l4proto tcp ct original proto-dst {_set(ports)} {at}accept"
    for source, targets, ports in _reached(host):
        yield f'iifname "{layout.HOSTS_BRIDGE}" ip saddr {source} ip daddr {targets} tcp dport {_set(ports)} accept'
    if _proxies(host) or host.role is HostRole.EDGE:
        # The control plane asks the name servers of its zones themselves, wherever they are.
        edge = host.role is HostRole.EDGE
        who, whom = (layout.HOSTS_NETWORK, _PUBLIC) if edge else (layout.EGRESS_ADDRESS, _set(host.resolvers))
        asks = f'iifname "{layout.HOSTS_BRIDGE}" ip saddr {who} ip daddr {whom}'
        yield f"{asks} meta l4proto {{ tcp, udp }} th dport 53 accept"
    yield f'iifname {_OURS} reject with icmpx admin-prohibited comment "said at once, so that nobody waits"'


def _published(host: Surroundings) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
    """Who may reach which published ports; nobody named means everybody."""
    if host.role is HostRole.EDGE:
        yield (), (80, 443)
    if host.role in layout.GATES:
        yield host.edge, (GATEWAY_PORT,)
        yield host.control, (CHANNEL_PORT,)
    if host.role is HostRole.GATEWAY and host.workers:
        yield host.workers, (EMBEDDER_PORT,)
    if host.role is HostRole.GATEWAY and (others := _others(host)) and host.ways_out:
        yield others, (EGRESS_PORT,)
    if host.role is HostRole.DB and (others := _others(host)):
        yield others, tuple(STORE_PORTS.values())


def _reached(host: Surroundings) -> Iterator[tuple[str, str, Sequence[int]]]:
    """What containers reach on other hosts: who, whom, at which ports."""
    answering = _set((layout.EMBEDDER_ADDRESS, layout.EGRESS_ADDRESS))
    everybody = f"{layout.HOSTS_NETWORK} ip saddr != {answering}"
    if host.role in (HostRole.GATEWAY, HostRole.WORKER):
        yield everybody, host.db, tuple(STORE_PORTS.values())
    if host.role is HostRole.WORKER:
        ports = (EMBEDDER_PORT, *((EGRESS_PORT,) if host.ways_out else ()))
        yield everybody, host.gateway, ports
    if _proxies(host):
        yield layout.EGRESS_ADDRESS, _PUBLIC, ways_out_ports(host)
    if host.role is HostRole.EDGE:  # the cloud, certificates, gateways, channels; hosts through the bastion
        yield layout.HOSTS_NETWORK, _PUBLIC, (22, 443, GATEWAY_PORT, CHANNEL_PORT)


def _output(host: Surroundings) -> Iterator[str]:
    yield f'oifname {_OURS} icmp type destination-unreachable accept comment "what a refused container is told"'
    yield from _ESTABLISHED
    yield 'oifname "lo" accept'
    yield _NEIGHBOURS
    yield "icmpv6 type nd-router-solicit accept"
    yield "udp sport 68 udp dport 67 accept"
    yield f"ip daddr {layout.METADATA} tcp dport 80 meta skuid 0 accept"
    yield f"ip daddr {_set(clocks(host))} udp dport 123 accept"
    if host.role is HostRole.GATEWAY and (others := _others(host)):
        yield f'ip daddr {_set(others)} tcp dport 22 accept comment "on the way to them"'
    if host.role is HostRole.BASTION:
        yield 'tcp dport 22 accept comment "on the way to gateways"'
    if host.role is HostRole.BUILDER:
        yield 'meta l4proto { tcp, udp } th dport 53 accept comment "names of package servers"'
        yield 'tcp dport { 80, 443 } accept comment "packages, before anything of ours is there"'


def _outward(host: Surroundings) -> Iterator[str]:
    yield f"ip saddr {layout.HOSTS_NETWORK} oifname != {_OURS} masquerade"


def clocks(host: Surroundings) -> Sequence[str]:
    """Whom a host asks for the time: its gateway where it has no way out, else the cloud's servers."""
    return (host.gateway,) if host.role in (HostRole.WORKER, HostRole.DB) else host.time_servers


def _others(host: Surroundings) -> Sequence[str]:
    return tuple(address for address in host.hosts.values() if address != host.address)


def _proxies(host: Surroundings) -> bool:
    return host.role in layout.GATES and bool(host.ways_out)


def _chain(name: str, hook: str, lines: Iterable[str]) -> str:
    body = "".join(f"        {line}\n" for line in (hook, *lines))
    return f"    chain {name} {{\n{body}    }}\n"


def _set(values: Sequence[str | int]) -> str:
    return str(values[0]) if len(values) == 1 else "{ " + ", ".join(str(value) for value in values) + " }"
