"""Which issuer is believed, and in what: `FROSTBYTE_OIDC_*`, at the control plane `FROSTBYTE_CONTROL_OIDC_*`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from frostbyte.kernel.errors import Invalid

RETURN_PATH: Final = "/console/sign-in/oidc/return"
"""Under the server's own address: where an issuer sends browsers back to. It has to be registered there."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""One scope's characters (RFC 6749, section 3.3)."""
_OTHERS: Final = ("CLIENT_ID", "CLIENT_SECRET", "ADDRESS", "CLAIM", "ROLES", "SCOPES", "CA_FILE")


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """An issuer, and what it is believed."""

    issuer: str
    """Its name, exactly as it says it: an address without a query."""
    client_id: str
    """What this server is called there."""
    client_secret: str = field(default="", repr=False)
    """'' for a public client: then the code's verifier alone proves who exchanges it."""
    address: str
    """This server's own, as browsers see it, without a path."""
    claim: str = "groups"
    """The claim of an ID token that says what somebody is; with dots the way into claims within claims."""
    roles: tuple[tuple[str, str], ...] = ()
    """(what the claim says, role here): the first that fits is somebody's role. None: nobody gets in."""
    scopes: tuple[str, ...] = ("openid",)
    """What is asked for."""
    ca_file: str = ""
    """Certificates that the issuer's must come from; '' for those of the system."""

    @property
    def host(self) -> str:
        """The issuer's, as people know it: `login.example`."""
        return urlsplit(self.issuer).netloc

    @property
    def return_address(self) -> str:
        """Where the issuer sends browsers back to."""
        return self.address + RETURN_PATH


class Given(Protocol):
    """The environment, as kernel.settings.Reader reads it. Each method raises Invalid `settings_invalid`."""

    def text(self, name: str, default: str) -> str: ...
    def secret(self, name: str) -> str: ...
    def file(self, name: str) -> str: ...
    def invalid(self, name: str, why: str) -> Invalid: ...


def load(given: Given, roles: Collection[str], prefix: str = "OIDC") -> OidcSettings | None:
    """The settings of an issuer; None where none is named.

    Args:
        given: the environment.
        roles: which there are here.
        prefix: of the variables, after `FROSTBYTE_`.

    Raises:
        Invalid: `settings_invalid`, naming the variable.
    """
    issuer = given.text(f"{prefix}_ISSUER", "")
    if not issuer:
        for name in _OTHERS:
            if given.text(f"{prefix}_{name}", "") or given.text(f"{prefix}_{name}_FILE", ""):
                raise given.invalid(f"{prefix}_{name}", f"it is set where FROSTBYTE_{prefix}_ISSUER is, and only there")
        return None
    if not encrypted(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise given.invalid(f"{prefix}_ISSUER", "it is an https address without a query; http only on this machine")
    client_id = given.text(f"{prefix}_CLIENT_ID", "")
    if not client_id:
        raise given.invalid(f"{prefix}_CLIENT_ID", "an issuer is asked under a name, the client id that it gave")
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=given.secret(f"{prefix}_CLIENT_SECRET"),
        address=_address(given, f"{prefix}_ADDRESS"),
        claim=given.text(f"{prefix}_CLAIM", OidcSettings.claim),
        roles=_roles(given, f"{prefix}_ROLES", roles),
        scopes=_scopes(given, f"{prefix}_SCOPES"),
        ca_file=given.file(f"{prefix}_CA_FILE"),
    )


def encrypted(address: str) -> bool:
    """Whether an address is one of TLS, or of this very machine; and has a host and no password."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # a port that is no number is found here
    except ValueError:
        return False
    if not host or "@" in parts.netloc or not address.isprintable() or not address.isascii() or " " in address:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _address(given: Given, name: str) -> str:
    text = given.text(name, "")
    parts = urlsplit(text) if encrypted(text) else None
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise given.invalid(
            name, "it is this server's address as browsers see it, such as https://acme.example, without a path"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _roles(given: Given, name: str, known: Collection[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for line in re.split(r"[\n;]", given.secret(name)):
        if not line.strip():
            continue
        value, equals, role = (part.strip() for part in line.rpartition("="))
        if not equals or not value or role not in known:
            raise given.invalid(name, f"each line of it is VALUE=ROLE, with one of the roles {', '.join(known)}")
        if found.setdefault(value, role) != role:
            raise given.invalid(name, "it gives two roles for one value")
    return tuple(found.items())


def _scopes(given: Given, name: str) -> tuple[str, ...]:
    scopes = given.text(name, "").split()
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise given.invalid(name, "it is a list of scopes with spaces between them, such as 'openid groups'")
    return tuple(dict.fromkeys(("openid", *scopes)))
