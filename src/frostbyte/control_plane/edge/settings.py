"""The edge's settings: `FROSTBYTE_CONTROL_EDGE_*` variables.

_TLS          own (default), files, acme: where the certificate comes from that clients see
_CERTIFICATE  _KEY                        for `files`: for `*.{domain}`, with its chain; taken anew when they change
_ACME_EMAIL   _ACME_DNS  _ACME_SERVER  _ACME_STORAGE   for `acme`; without _ACME_DNS by TLS-ALPN for each host
_WEB  _WEBSECURE  _STATUS                 where it listens: host:port (`:80`, `:443`, `127.0.0.1:8099`)
_API          yes (default), no: whether `control.{domain}` leads to the control plane's own API
_API_URL      where the edge reaches it, if not at the address it listens on: another container's name
_API_FROM     networks that may reach it, with commas between; none named: all
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from frostbyte.control_plane.edge.routes import Site, Tls
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import Reader, invalid

_WHOLE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # what is compared, not what is listened on


class _Switch(StrEnum):
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, kw_only=True)
class EdgeSettings:
    """What was told of the edge."""

    site: Site
    certificate: str = ""
    """A file, where `site.tls` is `files`."""
    key: str = ""


def load(given: Reader, domain: str, host: str, port: int) -> EdgeSettings:
    """Settings of the edge.

    Args:
        domain: tenants are reached below it.
        host: where the control plane's own API listens.
        port: of the same.

    Raises:
        Invalid: `settings_invalid`, naming the variable; `edge_route_invalid`.
    """
    tls = given.choice("CONTROL_EDGE_TLS", Tls, Tls.OWN)
    certificate, key = given.file("CONTROL_EDGE_CERTIFICATE"), given.file("CONTROL_EDGE_KEY")
    if (tls is Tls.FILES) is not bool(certificate and key):
        raise invalid("CONTROL_EDGE_CERTIFICATE", "it and _KEY are set where FROSTBYTE_CONTROL_EDGE_TLS is 'files'")
    email = given.text("CONTROL_EDGE_ACME_EMAIL", "")
    if (tls is Tls.ACME) is not bool(email):
        raise invalid("CONTROL_EDGE_ACME_EMAIL", "it is set where FROSTBYTE_CONTROL_EDGE_TLS is 'acme', and only there")
    api = given.choice("CONTROL_EDGE_API", _Switch, _Switch.YES) is _Switch.YES
    reached = "127.0.0.1" if host in _WHOLE else host
    try:
        site = Site(
            domain=domain,
            tls=tls,
            acme_email=email,
            acme_dns=given.text("CONTROL_EDGE_ACME_DNS", ""),
            acme_server=given.text("CONTROL_EDGE_ACME_SERVER", ""),
            acme_storage=given.text("CONTROL_EDGE_ACME_STORAGE", Site.acme_storage),
            web=given.text("CONTROL_EDGE_WEB", Site.web),
            websecure=given.text("CONTROL_EDGE_WEBSECURE", Site.websecure),
            status=given.text("CONTROL_EDGE_STATUS", Site.status),
            api_url=given.text("CONTROL_EDGE_API_URL", _url(reached, port)) if api else "",
            api_from=tuple(part.strip() for part in given.text("CONTROL_EDGE_API_FROM", "").split(",") if part.strip()),
        )
    except Invalid as error:
        raise Invalid(error.code, error.message, "Correct FROSTBYTE_CONTROL_EDGE_* and start again.") from None
    return EdgeSettings(site=site, certificate=certificate, key=key)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
