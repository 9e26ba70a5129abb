"""Networks that are nobody's on the internet: what a way out must never lead to, whatever a name resolves to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final

NOWHERE: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
"""IPv4, from IANA's special-purpose address registry: private, shared, loopback, link-local with a cloud's metadata,
benchmarks, multicast and what is reserved. Networks for documentation are not routed by anybody and need no line."""
_NOWHERE_4: Final = tuple(IPv4Network(network) for network in NOWHERE)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 in IPv6's clothes (RFC 6052)."""


def nowhere(address: str) -> bool:
    """Whether an address, of either version, is nobody's on the internet, or hides one of the other version."""
    one = ip_address(address)
    if isinstance(one, IPv4Address):
        return any(one in network for network in _NOWHERE_4)
    hidden = one.ipv4_mapped or one.sixtofour or one.teredo or one in _TRANSLATED
    return bool(hidden) or not one.is_global or one.is_multicast
