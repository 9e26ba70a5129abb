"""What a browser makes of an address that it is sent to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def query(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def told(address: str, cookie: str) -> dict[str, str]:
    """What a server is told by a browser that comes back: the fields of Returned."""
    found = query(address)
    names = {"state": "state", "code": "code", "error": "error", "iss": "issuer"}
    return {names[name]: value for name, value in found.items()} | {"cookie": cookie}
