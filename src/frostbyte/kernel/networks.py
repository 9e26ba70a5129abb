"""Networks that are nobody's on the internet: what a way out must never lead to, whatever a name resolves to."""

from __future__ import annotations

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
