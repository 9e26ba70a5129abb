"""What may be registered as the way to a plane. The gateway's address goes into a file that the edge reads as a
template, so nothing but scheme, host and port passes."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final

from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.kernel.audit.checkpoint import LOG, public_key
from frostbyte.kernel.errors import FrostbyteError, Invalid

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:(?P<port>[1-9][0-9]{0,4}))?"
)
_PEM: Final = re.compile(r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,20000}-----END CERTIFICATE-----\n?){1,8}")


def checked_endpoints(row: EndpointsRow) -> EndpointsRow:
    """The row, if it is a way to this tenant's plane.

    Raises:
        Invalid: `endpoints_invalid`, naming what is wrong.
    """
    gateway = _host("the gateway's address", row.gateway_url)
    channel = _host("the channel's address", row.channel_url)
    if not row.channel_url.startswith("https://"):
        raise _invalid("the channel's address is not https")
    if row.ca_pem and not _PEM.fullmatch(row.ca_pem):
        raise _invalid("the authority is no certificate in PEM")
    if not row.ca_pem and not (_loopback(gateway) and _loopback(channel)):
        raise _invalid("a plane on another host needs its tenant's authority")
    try:
        key = public_key(row.log_key)
    except FrostbyteError:
        raise _invalid("the log's key is no verifier key") from None
    if key.type != LOG:
        raise _invalid("the log's key is a witness's")
    if not key.name.startswith(f"frostbyte/{row.tenant_id}/"):
        raise _invalid("the log's key belongs to another tenant's log")
    return row


def _host(what: str, url: str) -> str:
    match = _ADDRESS.fullmatch(url)
    if match is None or int(match["port"] or 1) > 65_535 or ".." in match["host"]:
        raise _invalid(f"{what} is not written https://host:port")
    host = match["host"]
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            raise _invalid(f"{what} names no host") from None
    return host.strip("[]")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _invalid(why: str) -> Invalid:
    return Invalid(
        "endpoints_invalid",
        f"The plane cannot be registered so: {why}.",
        "Give the addresses and the keys that the plane's installation printed.",
    )
