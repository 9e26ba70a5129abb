"""The edge's wiring: the keeper of its files, what it shows to clients and to gateways, and the thread that mends."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import structlog
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from frostbyte.adapters.edge.files import EdgeFolder
from frostbyte.bootstrap.authorities import Authorities
from frostbyte.control_plane.edge.keeper import EdgeKeeper
from frostbyte.control_plane.edge.ports import CredentialsOf, SitePair
from frostbyte.control_plane.edge.routes import CONTROL, Credentials, Pair, Site, Tls
from frostbyte.control_plane.edge.settings import EdgeSettings
from frostbyte.deploy.authority import Authority, Client
from frostbyte.deploy.traefik import CODE_HEADER, Traefik, startup
from frostbyte.kernel.errors import FrostbyteError, Invalid, Unavailable

MEND_SECONDS: Final = 1.0
"""Between two looks at the folder: a bad file keeps hot changes from being read as long as it lies there."""
PREPARE_SECONDS: Final = 60.0
"""Between two looks at the certificate that clients see."""
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z ]{1,40})-----[A-Za-z0-9+/=\s]{1,30000}-----END \1-----")
_log = structlog.get_logger("frostbyte.edge")


class Edge:
    """The edge as the control plane runs it: its files lie in a folder, and stay as they must be.

    Args:
        folder: holds `traefik.yml`, which Traefik is started with, and `routes/`, which it watches.
        authorities: of the tenants.
        own_ca: where the edge's own authority is kept.
    """

    def __init__(self, settings: EdgeSettings, folder: Path, authorities: Authorities, own_ca: Path) -> None:
        self.settings = settings
        self.files = EdgeFolder(folder / "routes")
        self.keeper = EdgeKeeper(
            settings.site, self.files, Traefik(), credentials_of(authorities), pair_of(settings, own_ca)
        )
        self._folder = folder

    def prepare(self) -> None:
        """Write what is no tenant's.

        Raises:
            Unavailable: `edge_unwritable`.
            Invalid: the certificate that clients see is not usable.
        """
        start_file(self.settings.site, self._folder)
        self.keeper.prepare()

    def run(self, stop: threading.Event) -> None:
        """Keep the files as they must be until the event is set; the edge goes on as it is then."""
        looks = 0
        while not stop.wait(MEND_SECONDS):
            looks += 1
            try:
                if looks % int(PREPARE_SECONDS / MEND_SECONDS) == 0:
                    self.keeper.prepare()
                mended = self.keeper.mend()
            except FrostbyteError as error:
                _log.error("edge_not_mended", code=error.code)
            else:
                if mended:
                    _log.warning("edge_mended", written=len(mended.written), removed=len(mended.removed))


def start_file(site: Site, folder: Path) -> Path:
    """Write the file that Traefik starts with; where it is. Raises Unavailable: `edge_unwritable`."""
    files = EdgeFolder(folder, folder / ".new")
    text = startup(site, str(folder / "routes"))
    if files.read("traefik.yml") != text:
        files.write("traefik.yml", text)
    return folder / "traefik.yml"


def credentials_of(authorities: Authorities) -> CredentialsOf:
    """How the edge and each tenant's gateway know each other: by the tenant's authority."""

    def credentials(tenant_id: str) -> Credentials:
        shown = authorities.shown(tenant_id, Client.EDGE)
        return Credentials(ca=authorities.ca_pem(tenant_id), certificate=shown.certificate, key=shown.key)

    return credentials


def pair_of(settings: EdgeSettings, own_ca: Path) -> SitePair:
    """The certificate that clients see, by the settings."""
    site = settings.site
    if site.tls is Tls.OWN:
        return own_pair(own_ca, site.domain)
    if site.tls is Tls.FILES:
        return lambda: file_pair(Path(settings.certificate), Path(settings.key), site.domain)
    return lambda: None


def own_pair(folder: Path, domain: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> SitePair:
    """One for all hosts by an authority of our own, which clients are told to trust; renewed in time."""

    def pair() -> Pair:
        authority = Authority(folder, "", domain=domain, now=now())
        authority.server("wildcard", [f"*.{domain}"])
        place = folder / "wildcard"
        return Pair(
            certificate=(place / "public.crt").read_text(encoding="ascii"),
            key=(place / "private.key").read_text(encoding="ascii"),
        )

    return pair


def file_pair(certificate: Path, key: Path, domain: str) -> Pair:
    """One that somebody else renews.

    Raises:
        Invalid: `edge_certificate_unusable`: not PEM, not a pair, over, or not for the hosts of the domain.
    """
    try:
        chain = _blocks(certificate, "CERTIFICATE")
        private = _blocks(key, "PRIVATE KEY")
        found = x509.load_pem_x509_certificates(chain.encode())[0]
        same = load_pem_private_key(private.encode(), None).public_key() == found.public_key()
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, IndexError, x509.ExtensionNotFound):
        raise _unusable("cannot be read") from None
    if not same:
        raise _unusable("do not belong together")
    if found.not_valid_after_utc <= datetime.now(UTC):
        raise _unusable("are over")
    hosts = set(names.get_values_for_type(x509.DNSName))
    if not hosts & {f"*.{domain}", f"{CONTROL}.{domain}"} and not any(host.endswith(f".{domain}") for host in hosts):
        raise _unusable("are for other hosts")
    return Pair(certificate=chain, key=private)


def _blocks(path: Path, kind: str) -> str:
    """The blocks of this kind in a PEM file, without what tools write between them."""
    text = path.read_text(encoding="ascii")
    blocks = [match[0] for match in _BLOCK.finditer(text) if match[1].endswith(kind)]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return "".join(f"{line}\n" for line in lines if line)


def _unusable(why: str) -> Invalid:
    return Invalid(
        "edge_certificate_unusable",
        f"The certificate and key for the edge's clients {why}.",
        "Correct FROSTBYTE_CONTROL_EDGE_CERTIFICATE and _KEY: the edge keeps what it had.",
    )


def look(settings: EdgeSettings, folder: Path) -> dict[str, Any]:
    """How the edge is, by its folder and by what it answers: nothing is changed.

    Raises:
        Unavailable: `edge_unwritable`: there is no such folder, or it cannot be read.
    """
    routes = folder / "routes"
    tenants, strangers = [], []
    try:
        names = sorted(path.name for path in routes.iterdir())
        texts = {name: (routes / name).read_bytes() for name in names if (routes / name).is_file()}
    except OSError as error:
        raise Unavailable(
            "edge_unwritable",
            f"The edge's folder cannot be written or read ({type(error).__name__}).",
            "See that a control plane has run here, and that you may read its folder.",
        ) from None
    for name in names:
        if name in ("edge.yml", f"{CONTROL}.yml"):
            continue
        route = _route(name, texts.get(name, b""))
        if route is None:
            strangers.append(name)
        else:
            tenants.append(route)
    return {
        "domain": settings.site.domain,
        "answers": _answers(settings.site.status),
        "tenants": tenants,
        "strangers": strangers,
        "certificate_ends": _ends(texts.get("edge.yml", b"")),
    }


def _route(name: str, data: bytes) -> dict[str, str] | None:
    """What a tenant's file says; None for a file that is none."""
    tenant = name.removeprefix("tenant-").removesuffix(".yml")
    key = f"tenant-{tenant}"
    try:
        http = yaml.safe_load(data)["http"]
        servers = http["services"][f"{key}-gateway"]["loadBalancer"]["servers"]
        said = http["middlewares"][f"{key}-named"]["headers"].get("customResponseHeaders", {}).get(CODE_HEADER, "")
        host = str(http["routers"][key]["rule"]).removeprefix("Host(`").removesuffix("`)")
        to = str(servers[0]["url"]) if servers else ""
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return {"tenant_id": tenant, "host": host, "gate": "open" if to else "closed", "leads_to": to, "code": str(said)}


def _ends(data: bytes) -> str:
    """When the certificate in the shared file ends; '' where the edge gets one itself."""
    try:
        shown = yaml.safe_load(data)["tls"]["certificates"][0]["certFile"]
        return x509.load_pem_x509_certificate(shown.encode()).not_valid_after_utc.isoformat()
    except (yaml.YAMLError, KeyError, TypeError, IndexError, AttributeError, ValueError):
        return ""


def _answers(status: str) -> bool:
    """Whether a Traefik answers at its status address, which is of this host."""
    host, _, port = status.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
