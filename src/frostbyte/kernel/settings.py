"""A plane's settings: `FROSTBYTE_*` variables, read once at start.

A plane knows its tenant from here and from nowhere else (promise 1). A secret may stand in a file instead, named by
the same variable with `_FILE`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from frostbyte.kernel.accounts.roles import PLANE
from frostbyte.kernel.errors import Invalid
from frostbyte.kernel.oidc import settings as oidc_settings
from frostbyte.kernel.oidc.settings import OidcSettings

RESERVED_TENANTS: Final = frozenset({"admin", "api", "www", "control", "edge", "bastion", "status", "frostbyte"})
NO_EMBEDDER: Final = "none"
"""FROSTBYTE_EMBEDDING_ENDPOINT for a plane that searches by words alone."""
_TENANT: Final = re.compile(r"[a-z0-9]{1,32}")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Mode(StrEnum):
    """Fixed when a plane is installed."""

    DEVELOPMENT = "development"
    OFFLINE = "offline"
    ONLINE = "online"


class StandIn(StrEnum):
    """What development allows; every other mode refuses those that FROSTBYTE_STANDINS does not name."""

    SCANNER = "scanner"
    VECTORS = "vectors"
    DATABASE = "database"
    OBJECTS = "objects"
    QUEUE = "queue"
    EMBEDDER = "embedder"
    TLS = "tls"
    """Plain text to a server on another host."""
    CONTROL = "control"
    """No control plane, where an online plane is to be told to stop."""
    HOSTS = "hosts"
    """Processes of this machine in place of servers, with a simulated cloud."""
    SECRETS = "secrets"
    """Passwords that are missing, short or known to everybody."""


class Roles(StrEnum):
    """What of the API a process answers."""

    BOTH = "both"
    INTAKE = "intake"
    """All but the reading routes, which it passes to serving; it alone is reached from outside."""
    SERVING = "serving"
    """The reading routes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a plane was told."""

    mode: Mode = Mode.DEVELOPMENT
    tenant_id: str = "demo"
    data_dir: Path = Path(".frostbyte")
    secrets_dir: Path | None = None
    """The folder with the tenant's keys; None for `secrets` in `data_dir`."""
    signing_dir: Path | None = None
    """The folder with the keys that sign checkpoints and tokens; None for the one with the other keys."""
    roles: Roles = Roles.BOTH
    serving_url: str = ""
    """Where an `intake` process finds serving."""
    host: str = "127.0.0.1"
    port: int = 8080
    socket: Path | None = None
    """A unix socket on which the gateway answers as well, for a door beside it; None for none."""
    tls_certificate: str = ""
    """The gateway's certificate (PEM, with its chain); '' serves plain text, for an edge beside it."""
    tls_key: str = ""
    tls_client_ca: str = ""
    """Then only the edge's certificate by this authority is let in (common name `edge`)."""
    database_url: str = field(default="", repr=False)
    """'' starts the embedded PostgreSQL."""
    database_owner_url: str = field(default="", repr=False)
    """Who brings the schema up to date; '' where `database_url` is the owner's and steps down by itself."""
    objects_url: str = ""
    """An S3 server; '' keeps objects in a folder."""
    objects_bucket: str = ""
    """'' for `tenant-{tenant_id}-bucket`."""
    objects_access_key: str = field(default="", repr=False)
    objects_secret_key: str = field(default="", repr=False)
    vectors_url: str = ""
    """A Qdrant server; '' keeps vectors in the plane's own process."""
    vectors_api_key: str = field(default="", repr=False)
    vectors_grpc_port: int = 0
    """0 for REST alone."""
    queue_url: str = field(default="", repr=False)
    """Redis; '' runs the stages in the plane's own process."""
    ca_file: str = ""
    """Certificates that the tenant's servers are trusted by, beside none other; '' for those of the system."""
    local_network: str = ""
    """A network (CIDR) that never leaves this host, as a compose network: plain text may cross it."""
    embedding_endpoint: str = ""
    """'' uses the local model; `none` searches by words alone."""
    embedding_model: str = "nomic-embed-text-v1.5"
    embedding_dimensions: int = 768
    embedding_sha256: str = ""
    """Of the model's file: then every answer must name it, and the index is pinned to it."""
    embedding_remote: bool = False
    embedding_api_key: str = field(default="", repr=False)
    egress_proxy: str = ""
    """The proxy (http) that leads to a remote embedder, the witness, webhooks and the issuer that signs people in; ''
    reaches them directly. Nothing else of a plane is asked through it, and no proxy of the environment is used."""
    webhook_networks: tuple[str, ...] = ()
    """Private networks (CIDR) in which webhooks may be; everywhere else they are on the internet."""
    webhook_ca_file: str = ""
    """Certificates that receivers of webhooks are trusted by, beside none other; '' for those of the world."""
    clamd_address: str = ""
    """`unix:/path` or `host:port`; '' means that nothing is scanned."""
    clamd_conf: str = ""
    """The clamd.conf that the scanner runs with; its limits are compared with the tenant's at start."""
    policy_dir: str = ""
    """A folder with rule files in place of the shipped ones; '' for the shipped ones."""
    tenant_config: str = ""
    """A file with the configuration that a plane begins with, as JSON; '' for the defaults."""
    witness_url: str = ""
    """A witness that cosigns checkpoints (C2SP tlog-witness); '' for none."""
    witness_key: str = ""
    """The witness's verifier key."""
    channel_listen: tuple[str, int] | None = None
    """Where the control plane reaches this one; None for a plane without a control plane."""
    channel_socket: Path | None = None
    """A unix socket on which the channel answers as well, for a door; None for none."""
    channel_certificate: str = ""
    """The channel's certificate, by the tenant's authority, and its key."""
    channel_key: str = ""
    channel_client_ca: str = ""
    """Who has to have signed the control plane's certificate: the tenant's authority."""
    control_keys: str = ""
    """A file with the control plane's verifying keys, one a line: what directives have to be signed by."""
    oidc: OidcSettings | None = None
    """An issuer by whose word people sign in; None for none."""
    stand_ins: frozenset[StandIn] = frozenset()
    workers: int = 2
    parse_seconds: float = 120.0
    parse_memory_mb: int = 4096

    @property
    def bucket(self) -> str:
        """Where the tenant's objects are."""
        return self.objects_bucket or f"tenant-{self.tenant_id}-bucket"

    @property
    def keys_folder(self) -> Path:
        """Where the tenant's keys are."""
        return self.secrets_dir or self.data_dir / "secrets"

    @property
    def signing_folder(self) -> Path:
        """Where the keys are that sign. A worker needs none of them."""
        return self.signing_dir or self.keys_folder

    @property
    def needs_lease(self) -> bool:
        """Whether work is begun only while the control plane says so."""
        return self.mode is Mode.ONLINE and StandIn.CONTROL not in self.stand_ins

    def allows(self, stand_in: StandIn) -> bool:
        """Whether the substitute may be used in this mode."""
        return self.mode is Mode.DEVELOPMENT or stand_in in self.stand_ins


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        Invalid: `settings_invalid`, naming the variable; a secret's value is never shown.
    """
    given = Reader(os.environ if environment is None else environment)
    host, port = given.listen("127.0.0.1:8080")
    roles = given.choice("ROLES", Roles, Roles.BOTH)
    serving_url = _address("SERVING_URL", given.text("SERVING_URL", ""))
    if bool(serving_url) is not (roles is Roles.INTAKE):
        raise invalid("SERVING_URL", "it is set where FROSTBYTE_ROLES is intake, and only there")
    return Settings(
        mode=given.choice("MODE", Mode, Mode.DEVELOPMENT),
        tenant_id=tenant_name(given.text("TENANT_ID", "demo")),
        data_dir=Path(given.text("DATA_DIR", ".frostbyte")).expanduser().absolute(),
        secrets_dir=given.path("SECRETS_DIR"),
        signing_dir=given.path("SIGNING_DIR"),
        roles=roles,
        serving_url=serving_url,
        host=host,
        port=port,
        socket=given.path("SOCKET"),
        **_tls(given),
        database_url=given.secret("DATABASE_URL"),
        database_owner_url=given.secret("DATABASE_OWNER_URL"),
        objects_url=_address("OBJECTS_URL", given.text("OBJECTS_URL", "")),
        objects_bucket=_bucket(given.text("OBJECTS_BUCKET", "")),
        objects_access_key=given.secret("OBJECTS_ACCESS_KEY"),
        objects_secret_key=given.secret("OBJECTS_SECRET_KEY"),
        vectors_url=_address("VECTORS_URL", given.text("VECTORS_URL", "")),
        vectors_api_key=given.secret("VECTORS_API_KEY"),
        vectors_grpc_port=given.number("VECTORS_GRPC_PORT", 0, 65_535, 0),
        queue_url=_queue(given.secret("QUEUE_URL")),
        ca_file=given.file("CA_FILE"),
        local_network=given.network("LOCAL_NETWORK"),
        embedding_endpoint=_address("EMBEDDING_ENDPOINT", given.text("EMBEDDING_ENDPOINT", ""), NO_EMBEDDER),
        embedding_model=given.text("EMBEDDING_MODEL", Settings.embedding_model),
        embedding_dimensions=given.number("EMBEDDING_DIMENSIONS", 1, 65_536, Settings.embedding_dimensions),
        embedding_sha256=given.sha256("MODEL_SHA256"),
        embedding_remote=given.choice("EMBEDDING_REMOTE", _Switch, _Switch.NO) is _Switch.YES,
        embedding_api_key=given.secret("EMBEDDING_API_KEY"),
        egress_proxy=_proxy(given.text("EGRESS_PROXY", "")),
        webhook_networks=given.networks("WEBHOOK_NETWORKS"),
        webhook_ca_file=given.file("WEBHOOK_CA_FILE"),
        clamd_address=given.text("CLAMD_ADDRESS", ""),
        clamd_conf=given.text("CLAMD_CONF", ""),
        policy_dir=given.text("POLICY_DIR", ""),
        tenant_config=given.file("TENANT_CONFIG"),
        witness_url=given.text("WITNESS_URL", ""),
        witness_key=given.text("WITNESS_KEY", ""),
        **_channel(given),
        oidc=oidc_settings.load(given, PLANE),
        stand_ins=given.stand_ins(),
        workers=given.number("WORKERS", 1, 64, Settings.workers),
        parse_seconds=float(given.number("PARSE_SECONDS", 1, 3600, int(Settings.parse_seconds))),
        parse_memory_mb=given.number("PARSE_MEMORY_MB", 256, 65_536, Settings.parse_memory_mb),
    )


def _tls(given: Reader) -> dict[str, Any]:
    files = {name: given.file(name) for name in ("TLS_CERTIFICATE", "TLS_KEY", "TLS_CLIENT_CA")}
    if bool(files["TLS_CERTIFICATE"]) is not bool(files["TLS_KEY"]):
        raise invalid("TLS_KEY", "a certificate and its key are set together")
    if files["TLS_CLIENT_CA"] and not files["TLS_KEY"]:
        raise invalid("TLS_CLIENT_CA", "clients have certificates only where the server has one (FROSTBYTE_TLS_KEY)")
    return {name.lower(): path for name, path in files.items()}


_E = TypeVar("_E", bound=StrEnum)
_CHANNEL_FILES: Final = ("CHANNEL_CERTIFICATE", "CHANNEL_KEY", "CHANNEL_CLIENT_CA", "CONTROL_KEYS")


def _channel(given: Reader) -> dict[str, Any]:
    """The settings of the control channel: all of them, or none."""
    listens = bool(given.text("CHANNEL_LISTEN", ""))
    files = {name: given.file(name) for name in _CHANNEL_FILES}
    for name, path in files.items():
        if bool(path) is not listens:
            raise invalid(name, "it is set where FROSTBYTE_CHANNEL_LISTEN is, and only there")
    channel_listen = given.listen("", "CHANNEL_LISTEN") if listens else None
    told = {"channel_listen": channel_listen, "channel_socket": given.path("CHANNEL_SOCKET") if listens else None}
    return told | {name.lower(): path for name, path in files.items()}


class _Switch(StrEnum):
    NO = "no"
    YES = "yes"


class Reader:
    """Settings, one variable after the other. Each method raises Invalid `settings_invalid`, naming the variable."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        """What is set, or the default."""
        return self._environment.get(f"FROSTBYTE_{name}", "").strip() or default

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number in bounds."""
        text = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise invalid(name, f"it must be a whole number from {low} to {high}")
        return int(text)

    def choice(self, name: str, kind: type[_E], default: _E) -> _E:
        """One of a few words."""
        text = self.text(name, default.value)
        try:
            return kind(text)
        except ValueError:
            raise invalid(name, f"it must be one of {', '.join(kind)}") from None

    def secret(self, name: str) -> str:
        """What is set, or what stands in the file that `..._FILE` names; '' for neither."""
        file = self.text(f"{name}_FILE", "")
        if not file:
            return self.text(name, "")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise invalid(f"{name}_FILE", f"the file cannot be read ({type(error).__name__})") from None

    def sha256(self, name: str) -> str:
        """64 hex digits, or ''."""
        text = self.text(name, "").lower()
        if text and not re.fullmatch(r"[0-9a-f]{64}", text):
            raise invalid(name, "it is 64 hex digits")
        return text

    def listen(self, default: str, name: str = "LISTEN") -> tuple[str, int]:
        """Host and port to listen on."""
        return _listen(name, self.text(name, default))

    def path(self, name: str) -> Path | None:
        """A path that need not be there yet."""
        path = self.text(name, "")
        return Path(path).expanduser().absolute() if path else None

    def file(self, name: str) -> str:
        """A file that must be there; what is in it, its reader says."""
        path = self.text(name, "")
        if path and not Path(path).is_file():
            raise invalid(name, "there is no such file")
        return path

    def network(self, name: str) -> str:
        """A private network (CIDR), or ''."""
        text = self.text(name, "")
        try:
            network = ip_network(text) if text else None
        except ValueError:
            raise invalid(name, "it is a network such as 172.28.0.0/16") from None
        if network is not None and not network.is_private:  # 0.0.0.0/0 would call every server local
            raise invalid(name, "only a private network, such as 172.28.0.0/16, can stay on one host")
        return str(network) if network else ""

    def networks(self, name: str) -> tuple[str, ...]:
        """Private networks (CIDR), separated by commas."""
        try:
            found = [ip_network(part.strip()) for part in self.text(name, "").split(",") if part.strip()]
        except ValueError:
            raise invalid(name, "it is a list of networks such as 10.20.0.0/16,10.30.4.0/24") from None
        if any(not network.is_private or not network.prefixlen for network in found):
            raise invalid(name, "only private networks, such as 10.20.0.0/16, are opened by it")
        return tuple(map(str, found))

    def invalid(self, name: str, why: str) -> Invalid:
        """The error for one variable."""
        return invalid(name, why)

    def stand_ins(self) -> frozenset[StandIn]:
        """The stand-ins that were named."""
        names = [part.strip() for part in self.text("STANDINS", "").split(",") if part.strip()]
        try:
            return frozenset(StandIn(name) for name in names)
        except ValueError:
            raise invalid("STANDINS", f"it is a list of {', '.join(StandIn)}") from None


def invalid(name: str, why: str) -> Invalid:
    """The error for one variable."""
    return Invalid(
        "settings_invalid", f"FROSTBYTE_{name} is not usable: {why}.", f"Correct FROSTBYTE_{name} and start again."
    )


def is_tenant_name(text: str) -> bool:
    """Whether a tenant may have this id."""
    return _TENANT.fullmatch(text) is not None and text not in RESERVED_TENANTS


def tenant_name(text: str) -> str:
    """The id of a tenant. Raises Invalid("settings_invalid")."""
    if not is_tenant_name(text):
        raise invalid("TENANT_ID", "a tenant's id is 1 to 32 of a-z and 0-9, and none of the reserved names")
    return text


def _listen(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65_535:
        raise invalid(name, "it is written host:port")
    return host.strip("[]"), int(port)


def _address(name: str, text: str, word: str = "") -> str:
    parts = urlsplit(text)
    if text and text != word and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise invalid(name, "it must be an http or https address" + (f", or '{word}'" if word else ""))
    return text


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme != "http" or not parts.hostname or parts.username or parts.path not in ("", "/")):
        raise invalid("EGRESS_PROXY", "it is written http://host:port")
    return text


def _queue(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("redis", "rediss") or not parts.hostname):
        raise invalid("QUEUE_URL", "it is written redis://user:password@host:6379/0, or rediss:// for TLS")
    return text


def _bucket(text: str) -> str:
    if text and not _BUCKET.fullmatch(text):
        raise invalid("OBJECTS_BUCKET", "a bucket's name is 3 to 63 of a-z, 0-9, '.' and '-'")
    return text
