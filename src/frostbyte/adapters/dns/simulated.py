"""The name servers of a simulated cloud on this host: it is asked beside its API, for no resolver finds them."""

from __future__ import annotations

from typing import Final

import requests

from frostbyte.adapters.dns.hetzner import unwritten
from frostbyte.adapters.dns.records import plain, unreachable

_SECONDS: Final = 10.0


class SimulatedAuthority:
    """See answers.Answering.

    Args:
        endpoint: of the simulator's API.
    """

    def __init__(self, endpoint: str) -> None:
        self._address = f"{endpoint.rstrip('/').removesuffix('/v1')}/_simulator/answers"
        self._session = requests.Session()
        self._session.trust_env = False

    def answer(self, zone: str, name: str, type: str) -> tuple[str, ...]:
        """What its name servers answer, sorted. Raises Unavailable("dns_unreachable")."""
        asked = {"name": zone if name == "@" else f"{name}.{zone}", "type": type}
        try:
            reply = self._session.get(self._address, params=asked, timeout=_SECONDS, allow_redirects=False)
            values = reply.json()["values"] if reply.status_code == 200 else None
        except (requests.RequestException, ValueError, KeyError, TypeError):
            values = None
        if not isinstance(values, list):
            raise unreachable(f"the simulated name servers have no zone {zone}")
        return tuple(sorted(plain(type, unwritten(type, str(value))) for value in values))
