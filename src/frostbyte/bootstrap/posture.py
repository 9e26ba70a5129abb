"""What a process outside development refuses to start with. Pure: settings in, findings out.

Each finding is something that is fine on a developer's machine and not where documents of others are kept: a store
inside the plane's own process, documents that nobody scans, plain text on a wire between hosts, a password that
everybody knows. FROSTBYTE_STANDINS may name it; then everything says NOT FOR PRODUCTION.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.settings import NO_EMBEDDER, Mode, Settings, StandIn, invalid

SHORTEST_SECRET: Final = 16
"""Characters. Below it a password can be guessed; one that was generated is longer."""

KNOWN_SECRETS: Final = frozenset(
    "minioadmin minio123 miniominio password postgres redis secret changeme changeit guest admin root default test "
    "frostbyte example letmein password123 changeme12345678 minioadminminioadmin thisisnotasecret".split()
)
"""What installation guides and compose files of others use."""

Resolve = Callable[[str], Sequence[str]]
"""The addresses of a host's name; empty when it has none."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that only development allows."""

    stand_in: StandIn
    what: str
    """The part of a sentence that follows "in online mode ..."."""
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that settings name."""

    variable: str
    host: str
    secure: bool
    """Whether the wire is encrypted and the server's name checked."""
    how: str
    """How to make it so."""
    secret: str | None
    """None where nothing needs one."""


class Told(Protocol):
    """What of the settings of a process decides what it may start with."""

    @property
    def mode(self) -> Mode: ...
    @property
    def stand_ins(self) -> frozenset[StandIn]: ...
    def allows(self, stand_in: StandIn) -> bool:
        """Whether the substitute may be used in this mode."""
        ...


def addresses(host: str) -> list[str]:
    """What the system's resolver says; empty when it knows nothing."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def findings(
    settings: Settings, resolve: Resolve = addresses, *, gateway: bool = False, scans: bool = True
) -> list[Finding]:
    """Everything in the settings that only development allows, one a stand-in.

    Args:
        gateway: whether they are of the process that the control plane talks to.
        scans: whether documents are scanned in this process. Where workers do, each refuses to start without clamd.
    """
    servers = list(_servers(settings))
    controlled = _controlled(settings) if gateway else ()
    return one_each(
        [*_embedded(settings, scans), *wires(servers, settings.local_network, resolve), *secrets(servers), *controlled]
    )


def one_each(findings: Iterable[Finding]) -> list[Finding]:
    """The first of each stand-in."""
    found: dict[StandIn, Finding] = {}
    for one in findings:
        found.setdefault(one.stand_in, one)
    return list(found.values())


def stand_ins(settings: Told, found: Sequence[Finding]) -> list[str]:
    """Names of the stand-ins that reports must say: those that were found, and those that FROSTBYTE_STANDINS names.

    A server may be a stand-in itself, as `frostbyte serve vectors` is; its address does not show it, so who names it is
    believed.
    """
    names = [one.stand_in.value for one in found]
    return names + sorted(one.value for one in settings.stand_ins if one.value not in names)


def check(settings: Settings, resolve: Resolve = addresses, *, gateway: bool = False, scans: bool = True) -> None:
    """Refuse to start with what this mode does not allow, all of it at once. Arguments as in `findings`.

    Raises:
        Invalid: `stand_in_refused`.
    """
    refuse(settings, findings(settings, resolve, gateway=gateway, scans=scans))


def refuse(settings: Told, found: Sequence[Finding]) -> None:
    """Refuse to start with what was found, except for what these settings allow.

    Raises:
        Invalid: `stand_in_refused`.
    """
    refused = [one for one in found if not settings.allows(one.stand_in)]
    if not refused:
        return
    names = ",".join(one.stand_in.value for one in refused)
    raise Invalid(
        "stand_in_refused",
        f"In {settings.mode.value} mode {'; '.join(one.what for one in refused)}.",
        f"{' '.join(one.remedy for one in refused)} Or name {names} in FROSTBYTE_STANDINS and accept that everything "
        "says NOT FOR PRODUCTION.",
    )


def _embedded(settings: Settings, scans: bool) -> Iterator[Finding]:
    for missing, stand_in, what, remedy in (
        (
            scans and not settings.clamd_address,
            StandIn.SCANNER,
            "no malware scanner is configured and nothing would be scanned",
            "Set FROSTBYTE_CLAMD_ADDRESS to a clamd.",
        ),
        (
            not settings.vectors_url,
            StandIn.VECTORS,
            "the vector index runs inside the plane's own process",
            "Set FROSTBYTE_VECTORS_URL to a Qdrant server.",
        ),
        (
            not settings.database_url,
            StandIn.DATABASE,
            "the database runs beside the plane from a package",
            "Set FROSTBYTE_DATABASE_URL to a PostgreSQL server.",
        ),
        (
            not settings.objects_url,
            StandIn.OBJECTS,
            "objects are kept in a folder of the plane",
            "Set FROSTBYTE_OBJECTS_URL to a MinIO or other S3 server.",
        ),
        (
            not settings.queue_url,
            StandIn.QUEUE,
            "the stages run inside the plane's own process",
            "Set FROSTBYTE_QUEUE_URL to a Redis server and start workers.",
        ),
        (
            settings.embedding_endpoint in ("", NO_EMBEDDER),
            StandIn.EMBEDDER,
            "passages are embedded by the small built-in model or not at all",
            "Set FROSTBYTE_EMBEDDING_ENDPOINT to an embedding server.",
        ),
    ):
        if missing:
            yield Finding(stand_in=stand_in, what=what, remedy=remedy)


def wires(servers: Iterable[Server], local_network: str, resolve: Resolve) -> Iterator[Finding]:
    """Servers on other hosts that are spoken to in plain text."""
    for server in servers:
        found = resolve(server.host) if server.host else []
        if not server.secure and not _local(found, local_network):
            what = "leads to another host" if found else "names a host that has no address now, so perhaps another,"
            yield Finding(
                stand_in=StandIn.TLS,
                what=f"FROSTBYTE_{server.variable} {what} in plain text",
                remedy=f"{server.how}, or name the network that never leaves this host in FROSTBYTE_LOCAL_NETWORK.",
            )


def secrets(servers: Iterable[Server]) -> Iterator[Finding]:
    """Servers whose secret can be guessed."""
    for server in servers:
        if server.secret is None or _strong(server.secret):
            continue
        yield Finding(
            stand_in=StandIn.SECRETS,
            what=f"the secret of FROSTBYTE_{server.variable} is missing, shorter than {SHORTEST_SECRET} characters or "
            "one that everybody knows",
            remedy="Generate one (`openssl rand -hex 32`) and set it, best as a file.",
        )


def _controlled(settings: Settings) -> Iterator[Finding]:
    """An online plane begins work only while its control plane says so; without a channel none can say it."""
    if settings.mode is Mode.ONLINE and settings.channel_listen is None:
        yield Finding(
            stand_in=StandIn.CONTROL,
            what="no control plane can reach this plane, and so none can stop it",
            remedy="Set FROSTBYTE_CHANNEL_LISTEN with its certificate, key and authority, and FROSTBYTE_CONTROL_KEYS; "
            "or install the plane with FROSTBYTE_MODE=offline.",
        )


def _strong(secret: str) -> bool:
    return len(secret) >= SHORTEST_SECRET and secret.lower() not in KNOWN_SECRETS and len(set(secret)) > 4


def _servers(settings: Settings) -> Iterator[Server]:
    for name, url in (("DATABASE_URL", settings.database_url), ("DATABASE_OWNER_URL", settings.database_owner_url)):
        if url:
            yield from databases(name, url)
    for name, url, secret in (
        ("OBJECTS_URL", settings.objects_url, settings.objects_secret_key),
        ("VECTORS_URL", settings.vectors_url, settings.vectors_api_key),
        ("EMBEDDING_ENDPOINT", settings.embedding_endpoint, None),
        ("SERVING_URL", settings.serving_url, None),
    ):
        if url and url != NO_EMBEDDER:
            parts = urlsplit(url)
            yield Server(
                variable=name,
                host=parts.hostname or "",
                secure=parts.scheme == "https",
                how=f"Write https:// in FROSTBYTE_{name} and give the server's authority in FROSTBYTE_CA_FILE",
                secret=secret,
            )
    if settings.queue_url:
        parts = urlsplit(settings.queue_url)
        yield Server(
            variable="QUEUE_URL",
            host=parts.hostname or "",
            secure=parts.scheme == "rediss",
            how="Write rediss:// in FROSTBYTE_QUEUE_URL and give the server's authority in FROSTBYTE_CA_FILE",
            secret=unquote(parts.password or ""),
        )
    if settings.clamd_address and not settings.clamd_address.startswith("unix:"):
        yield Server(
            variable="CLAMD_ADDRESS",
            host=settings.clamd_address.rpartition(":")[0].strip("[]"),
            secure=False,
            how="Run a clamd on the host of each worker: its protocol knows no encryption",
            secret=None,
        )


def databases(variable: str, url: str) -> Iterator[Server]:
    """The servers of a PostgreSQL address, which may name several.

    Raises:
        Invalid: `settings_invalid` for an address that cannot be checked.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:  # its text may show the password
        raise invalid(variable, "it is no address of a PostgreSQL server") from None
    if "service" in given:
        raise invalid(variable, "it names a service; write host, user and database out, so that they can be checked")
    for host in (given.get("hostaddr") or given.get("host") or "").split(","):
        # Without a host libpq asks the environment (PGHOST), so an empty one is nobody's socket: it has no address.
        socket_file = host.startswith(("/", "@"))
        yield Server(
            variable=variable,
            host="localhost" if socket_file else host,
            secure=given.get("sslmode") == "verify-full",
            how=f"Add sslmode=verify-full to FROSTBYTE_{variable}; the authority is FROSTBYTE_CA_FILE or sslrootcert",
            secret=None if socket_file or "sslcert" in given else given.get("password", ""),
        )


def _local(found: Sequence[str], network: str) -> bool:
    """Whether every address of a host stays on this machine. A name without addresses does not."""
    allowed = [ip_network("127.0.0.0/8"), ip_network("::1/128"), *([ip_network(network)] if network else [])]
    return bool(found) and all(
        any(
            ip_address(one.partition("%")[0]) in net
            for net in allowed
            if net.version == ip_address(one.partition("%")[0]).version
        )
        for one in found
    )
