"""Addresses of webhooks, and the servers that a tenant's configuration lets them lead to.

One pattern reads an address, and what was read is what is asked for: no second reader can see another server in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from frostbyte.kernel.errors import Forbidden, Invalid

HTTPS: Final = 443
MOST_HOSTS: Final = 32
"""Servers that a configuration may name."""
MOST_CHARACTERS: Final = 2000
"""Of an address."""
_MOST_HOST: Final = 100
"""Characters of a server's name: it stands in audit events."""
_HOST: Final = r"((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,20}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)"
"""A name whose last part begins with a letter: no numeric address is one, however it is written."""
_PORT: Final = r"(?::([1-9][0-9]{0,4}))?"
_PLACE: Final = re.compile(_HOST + _PORT)
_SAFE: Final = r"A-Za-z0-9._~!$&'()*+,;=:@%/"
_URL: Final = re.compile(rf"https://{_HOST}{_PORT}(/[{_SAFE}-]*)?(\?[{_SAFE}?-]*)?", re.ASCII)
_FRONT: Final = re.compile(r"[^/?#\\]*//[^/?#\\]*")
"""Scheme and server, where letters' case means nothing."""


@dataclass(frozen=True)
class Place:
    """A server."""

    host: str
    port: int = HTTPS

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Address:
    """Where a webhook is."""

    place: Place
    target: str
    """Path and query."""

    @property
    def url(self) -> str:
        """As it is shown and kept."""
        server = self.place.host if self.place.port == HTTPS else str(self.place)
        return f"https://{server}{self.target}"


def place(text: str) -> Place | None:
    """`host` or `host:port`, or None for what is neither."""
    return _place(_PLACE.fullmatch(text))


def places(hosts: Iterable[str]) -> tuple[Place, ...]:
    """Those that a configuration names."""
    return tuple(found for host in hosts if (found := place(host)) is not None)


def address(text: str) -> Address:
    """An address as a person wrote it.

    Raises:
        Invalid: `webhook_url_invalid`.
    """
    front = _FRONT.match(text)
    match = _URL.fullmatch(front[0].lower() + text[front.end() :]) if front and len(text) <= MOST_CHARACTERS else None
    found = _place(match)
    if match is None or found is None:
        raise Invalid(
            "webhook_url_invalid",
            "This is no address that a webhook can have.",
            "Write it as https://host.example/path: a name and no numeric address, no password, nothing behind a #.",
        )
    return Address(found, (match[3] or "/") + (match[4] or ""))


def check(found: Address, hosts: Iterable[str]) -> None:
    """See that the configuration lets it be.

    Args:
        hosts: the tenant's `webhook_hosts`.

    Raises:
        Forbidden: `webhook_host_not_allowed`.
    """
    if found.place not in places(hosts):
        raise Forbidden(
            "webhook_host_not_allowed",
            "The tenant's configuration does not name this server for webhooks.",
            "Name it first, with its port if that is not 443: webhook_hosts in the configuration.",
        )


def _place(match: re.Match[str] | None) -> Place | None:
    if match is None or len(match[1]) > _MOST_HOST or int(match[2] or HTTPS) > 65_535:
        return None
    return Place(match[1], int(match[2] or HTTPS))
