"""Limits that the public documentation names, and the quotas of a fresh project."""

from __future__ import annotations

import re
from typing import Final

from frostbyte.adapters.hetzner.world.refusals import Refused, invalid

USER_DATA_BYTES: Final = 32 << 10
NETWORKS_PER_SERVER: Final = 3
SERVERS_PER_NETWORK: Final = 100
SUBNETS_PER_NETWORK: Final = 50
FIREWALLS_PER_SERVER: Final = 5
RULES_PER_FIREWALL: Final = 50
RULES_PER_SERVER: Final = 500
ADDRESSES_PER_RULE: Final = 100
VOLUMES_PER_SERVER: Final = 16
VOLUME_GB: Final = (10, 10_240)
REQUESTS_PER_HOUR: Final = 3_600
"""Of a project; one comes back every second."""
QUOTAS: Final = {
    "servers": 500,
    "networks": 500,
    "firewalls": 50,
    "volumes": 500,
    "primary_ips": 500,
    "ssh_keys": 100,
    "images": 100,
    "zones": 100,
}
"""Wide, so that only who sets a narrower one (`Project.quotas`) meets it; firewalls are 50 for everybody."""
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
NAME_LENGTH: Final = 128


def hostname(name: str) -> str:
    """A server's name.

    Raises:
        Refused: it is no host name as RFC 1123 wants it.
    """
    if not _HOSTNAME.fullmatch(name):
        raise invalid("name", "must be a valid hostname as per RFC 1123")
    return name


def name_of(name: str) -> str:
    """The name of anything else. Raises Refused."""
    if not name.strip():
        raise invalid("name", "can't be blank")
    if len(name) > NAME_LENGTH:
        raise _long()
    return name


def _long() -> Refused:
    return invalid("name", "is too long")
