"""Which function answers which request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from frostbyte.adapters.hetzner.world import (
    firewalls,
    images,
    networks,
    primary_ips,
    server_actions,
    servers,
    sold,
    ssh_keys,
    volumes,
    zones,
)
from frostbyte.adapters.hetzner.world.call import Handler
from frostbyte.adapters.hetzner.world.refusals import Refused

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_TABLE: Final[list[tuple[str, str, re.Pattern[str], Handler]]] = [
    (method, pattern, re.compile(_PLACE.sub(r"(?P<\1>[^/]+)", pattern)), handler)
    for module in (
        servers,
        server_actions,
        networks,
        firewalls,
        volumes,
        primary_ips,
        ssh_keys,
        images,
        zones,
        sold,
    )
    for method, pattern, handler in module.ROUTES
]
PATTERNS: Final = tuple((method, pattern) for method, pattern, _, _ in _TABLE)


def handler(method: str, path: str) -> tuple[Handler, Mapping[str, str]]:
    """What answers a request, and what stands in the path's places.

    Raises:
        Refused: 405, or 501 for what is not simulated: never 404, which would mean that a resource is gone.
    """
    found = [(one, match, answer) for one, _, regex, answer in _TABLE if (match := regex.fullmatch(path))]
    for one, match, answer in found:
        if one == method:
            return answer, match.groupdict()
    if found:
        raise Refused(405, "method_not_allowed", "this method is not allowed here")
    raise Refused(501, "not_simulated", "this part of the API is not simulated")


def pattern_of(method: str, path: str) -> str:
    """The path with its ids left out; itself where nothing answers it."""
    for one, pattern, regex, _ in _TABLE:
        if one == method and regex.fullmatch(path):
            return pattern
    return path
