"""What the edge is told, as values that cannot be wrong.

An edge's file is a template before it is YAML, and one bad file keeps all the others from being read. So nothing comes
into these values but what is plainly a tenant's id, a host's name, an address or a certificate; every other text is
refused here, whoever sent it, and no file is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import RESERVED_TENANTS

CONTROL: Final = "control"
"""The host below the domain that leads to the control plane's own API; no tenant may be called so."""
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TENANT: Final = re.compile(r"[a-z0-9]{1,32}")
_URL: Final = re.compile(r"(https?)://(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?")
_PEM: Final = re.compile(
    r"(?:-----BEGIN (CERTIFICATE|PRIVATE KEY|EC PRIVATE KEY|RSA PRIVATE KEY)-----\n"
    r"(?:[A-Za-z0-9+/=]{1,76}\n){1,400}-----END \1-----\n){1,16}"
)
_LISTEN: Final = re.compile(r"(\[[0-9a-f:]{2,45}\]|[0-9.]{0,15}):([1-9][0-9]{0,4})")
_DIRECTORY: Final = re.compile(r"https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._-]{1,64}){0,8}")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}@[a-z0-9.-]{1,190}")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]{1,255}){1,32}")
_BESIDE: Final = (".internal", ".localhost")
"""Endings of names that no resolver outside leads anywhere (RFC 6761; ICANN's reservation of `internal`)."""


class Gate(StrEnum):
    """What the edge does with a tenant's requests."""

    OPEN = "open"
    """They reach the tenant's gateway."""
    CLOSED = "closed"
    """They are answered 503."""
    ABSENT = "absent"
    """There is no such host."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How edge and gateway know each other: PEM texts."""

    ca: str = field(repr=False)
    """What the gateway's certificate must be signed by."""
    certificate: str = field(repr=False)
    """The edge's own, by the same tenant's authority."""
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        for text in (self.ca, self.certificate, self.key):
            pem(text)


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where one tenant's requests go.

    Raises:
        Invalid: `edge_route_invalid`; `edge_plain_text`; `edge_certificate_missing`.
    """

    tenant_id: str
    domain: str
    """The tenant's host is `{tenant_id}.{domain}`."""
    gateway_url: str = ""
    """'' for a gate that is closed: its requests are answered 503."""
    credentials: Credentials | None = None
    """For an https gateway, and only there."""
    code: str = ""
    """Why the gate is closed, for whoever meets it: a stable code."""

    def __post_init__(self) -> None:
        if not _TENANT.fullmatch(self.tenant_id) or self.tenant_id in RESERVED_TENANTS:
            raise _invalid("tenant's id")
        host(self.host)
        if not re.fullmatch(r"[a-z_]{0,64}", self.code) or bool(self.code) is bool(self.gateway_url):
            raise _invalid("reason")
        if self.gateway_url:
            address(self.gateway_url)
        if self.gateway_url.startswith("https:") is not (self.credentials is not None):
            raise Invalid(
                "edge_certificate_missing",
                "An https gateway needs the tenant's authority and a certificate of the edge; others take none.",
                "Make them with `frostbyte tenant credentials`.",
            )

    @property
    def host(self) -> str:
        """The name that clients ask for."""
        return f"{self.tenant_id}.{self.domain}"


class Tls(StrEnum):
    """Where the certificate comes from that clients see."""

    OWN = "own"
    """From an authority of our own: for demos and closed networks, where clients can be told to trust it."""
    FILES = "files"
    """From files that somebody else renews."""
    ACME = "acme"
    """The edge gets it itself, from an authority that speaks ACME (RFC 8555)."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What holds for the whole edge.

    Raises:
        Invalid: `edge_route_invalid`.
    """

    domain: str
    tls: Tls = Tls.OWN
    acme_email: str = ""
    acme_dns: str = ""
    """The provider of the DNS-01 challenge (Traefik's name for it): one certificate for all hosts. '' for one by
    TLS-ALPN-01 for each host."""
    acme_server: str = ""
    """The authority's directory; '' for Let's Encrypt."""
    acme_storage: str = "/var/lib/traefik/acme.json"
    web: str = ":80"
    """Where plain requests are sent on to TLS: host:port."""
    websecure: str = ":443"
    status: str = "127.0.0.1:8099"
    """Where the edge answers /ping and /metrics; never reachable from outside."""
    api_url: str = ""
    """Where the control plane's API is; '' keeps it off the edge."""
    api_from: tuple[str, ...] = ()
    """Networks that may reach the control plane's API through the edge; () for all."""

    def __post_init__(self) -> None:
        host(f"{CONTROL}.{self.domain}")
        for text in (self.web, self.websecure, self.status):
            if (
                not re.fullmatch(r"(\[[0-9a-f:]+\]|[0-9.]*):[1-9][0-9]{0,4}", text)
                or int(text.rpartition(":")[2]) > 65535
            ):
                raise _invalid("entry point")
        if not self.status.startswith(("127.", "[::1]")):
            raise _invalid("status address, which must be of the loopback")
        if self.api_url:
            address(self.api_url)
        for network in self.api_from:
            try:
                ip_network(network)
            except ValueError:
                raise _invalid("network") from None
        self._check_acme()

    def _check_acme(self) -> None:
        if self.acme_email and not _EMAIL.fullmatch(self.acme_email):
            raise _invalid("ACME account")
        if not re.fullmatch(r"[a-z0-9]{0,32}", self.acme_dns):
            raise _invalid("DNS provider")
        if self.acme_server and not _DIRECTORY.fullmatch(self.acme_server):
            raise _invalid("ACME directory")
        if not _PATH.fullmatch(self.acme_storage):
            raise _invalid("ACME storage")
        if self.tls is Tls.ACME and not self.acme_email:
            raise _invalid("ACME account, which is missing,")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate with its chain, and its key: PEM texts."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        pem(self.certificate)
        pem(self.key)


def host(text: str) -> None:
    """Raises Invalid("edge_route_invalid") unless it is a host's name in small letters (RFC 1123, section 2.1)."""
    if len(text) > 253 or not all(_LABEL.fullmatch(part) for part in text.split(".")):
        raise _invalid("host's name")


def pem(text: str) -> None:
    """Raises Invalid("edge_route_invalid") unless it is certificates or a key in PEM (RFC 7468) and nothing else."""
    if not _PEM.fullmatch(text):
        raise _invalid("certificate or key")


def address(url: str) -> None:
    """See that a server may be called by this address: scheme, host and port, and nothing else.

    Plain text is for servers that lie beside the edge: at a private address or under a name of this host alone.

    Raises:
        Invalid: `edge_route_invalid`; `edge_plain_text`.
    """
    match = _URL.fullmatch(url)
    if not match or int(match[3] or 1) > 65_535:
        raise _invalid("gateway's address")
    scheme, name = match[1], match[2]
    try:
        found: IPv4Address | IPv6Address | None = ip_address(name.strip("[]"))
    except ValueError:
        found = None
        if name.startswith("[") or not re.search(r"[a-z]", name.rpartition(".")[2]):  # 1.2.3 is an address to some
            raise _invalid("gateway's address") from None
        host(name)
    if found is not None and (found.is_link_local or found.is_multicast or found.is_unspecified):
        raise _invalid("gateway's address")
    beside = found.is_private if found is not None else ("." not in name or name.endswith(_BESIDE))
    if scheme == "http" and not beside:
        raise Invalid(
            "edge_plain_text",
            "The gateway would be asked in plain text outside its private network.",
            "Give it a certificate of the tenant's authority and register its https address.",
        )


def _invalid(what: str) -> Invalid:
    return Invalid(
        "edge_route_invalid", f"The edge takes no such {what}.", "Correct it: nothing was written for the edge."
    )
