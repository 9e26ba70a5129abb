"""The control plane's settings: `FROSTBYTE_CONTROL_*` variables, read once at start.

What means the same for a plane has the same name: FROSTBYTE_MODE, FROSTBYTE_CA_FILE, FROSTBYTE_LOCAL_NETWORK,
FROSTBYTE_STANDINS.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from frostbyte.control_plane.edge import settings as edge_settings
from frostbyte.control_plane.edge.routes import Site
from frostbyte.control_plane.edge.settings import EdgeSettings
from frostbyte.control_plane.provisioning import settings as provisioning_settings
from frostbyte.control_plane.provisioning.settings import ProvisioningSettings
from frostbyte.kernel.accounts.roles import CONTROL
from frostbyte.kernel.oidc import settings as oidc_settings
from frostbyte.kernel.oidc.settings import OidcSettings
from frostbyte.kernel.settings import Mode, Reader, StandIn, invalid

_ENVIRONMENT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN_LIMIT: Final = 253 - 33
"""Characters: a host's name has 253 at most (RFC 1035, section 2.3.4), and 32 with a dot are a tenant's."""


@dataclass(frozen=True, kw_only=True)
class ControlSettings:
    """What a control plane was told."""

    mode: Mode = Mode.DEVELOPMENT
    """`development` or `online`: an offline plane has no control plane."""
    environment: str = "production"
    """Whose tenants it governs; part of its log's name and of its tokens' audience."""
    host: str = "127.0.0.1"
    port: int = 8090
    database_url: str = field(default="", repr=False)
    """'' starts the embedded PostgreSQL."""
    database_owner_url: str = field(default="", repr=False)
    """Who brings the schema up to date; '' where `database_url` is the owner's and steps down by itself."""
    data_dir: Path = Path(".frostbyte-control")
    secrets_dir: Path | None = None
    """None for `secrets` in `data_dir`."""
    edge_dir: Path | None = None
    """The folder that the edge watches; None for `edge` in `data_dir`."""
    domain: str = "pipeline.localhost"
    """Tenants are reached at `{tenant_id}.{domain}`."""
    expires_at: datetime | None = None
    """For a try: when everything of the environment is taken away, this control plane with it."""
    given: Path | None = None
    """A folder with what a control plane begins with, by its place in `data_dir`: what is there already stays."""
    ca_file: str = ""
    """Certificates that the database is trusted by; '' for those of the system."""
    local_network: str = ""
    """A network (CIDR) that never leaves this host: plain text may cross it."""
    stand_ins: frozenset[StandIn] = frozenset()
    oidc: OidcSettings | None = None
    """An issuer by whose word operators sign in; None for none."""
    told_edge: EdgeSettings | None = None
    told_provisioning: ProvisioningSettings | None = None

    @property
    def edge(self) -> EdgeSettings:
        """How the edge is set up."""
        return self.told_edge or EdgeSettings(site=Site(domain=self.domain))

    @property
    def provisioning(self) -> ProvisioningSettings:
        """What tenants are provisioned with."""
        told = self.told_provisioning
        return told or ProvisioningSettings(data_dir=self.data_dir, dns_zone=self.domain.partition(".")[2])

    @property
    def keys_folder(self) -> Path:
        """Where the control plane's own keys are."""
        return self.secrets_dir or self.data_dir / "secrets"

    @property
    def edge_folder(self) -> Path:
        """Where the edge's files are written."""
        return self.edge_dir or self.data_dir / "edge"

    @property
    def log_origin(self) -> str:
        """The name of the control plane's own audit log."""
        return f"frostbyte/control/{self.environment}"

    def allows(self, stand_in: StandIn) -> bool:
        """Whether the substitute may be used in this mode."""
        return self.mode is Mode.DEVELOPMENT or stand_in in self.stand_ins


def load(environment: Mapping[str, str] | None = None) -> ControlSettings:
    """Settings from the environment.

    Raises:
        Invalid: `settings_invalid`, naming the variable; a secret's value is never shown.
    """
    given = Reader(os.environ if environment is None else environment)
    host, port = given.listen("127.0.0.1:8090", "CONTROL_LISTEN")
    mode = given.choice("MODE", Mode, Mode.DEVELOPMENT)
    if mode is Mode.OFFLINE:
        raise invalid("MODE", "a control plane is 'development' or 'online'; an offline plane has none")
    domain = _domain(given.text("CONTROL_DOMAIN", ControlSettings.domain))
    data_dir = Path(given.text("CONTROL_DATA_DIR", ".frostbyte-control")).expanduser().absolute()
    return ControlSettings(
        mode=mode,
        environment=environment_name(given.text("CONTROL_ENVIRONMENT", ControlSettings.environment)),
        host=host,
        port=port,
        database_url=given.secret("CONTROL_DATABASE_URL"),
        database_owner_url=given.secret("CONTROL_DATABASE_OWNER_URL"),
        data_dir=data_dir,
        secrets_dir=_folder(given.text("CONTROL_SECRETS_DIR", "")),
        edge_dir=_folder(given.text("CONTROL_EDGE_DIR", "")),
        domain=domain,
        expires_at=_moment(given.text("CONTROL_EXPIRES_AT", "")),
        given=_folder(given.text("CONTROL_GIVEN", "")),
        ca_file=given.file("CA_FILE"),
        local_network=given.network("LOCAL_NETWORK"),
        stand_ins=given.stand_ins(),
        oidc=oidc_settings.load(given, CONTROL, "CONTROL_OIDC"),
        told_edge=edge_settings.load(given, domain, host, port),
        told_provisioning=provisioning_settings.load(given, data_dir, domain),
    )


def environment_name(text: str) -> str:
    """The name of an environment. Raises Invalid("settings_invalid")."""
    if not _ENVIRONMENT.fullmatch(text):
        raise invalid("CONTROL_ENVIRONMENT", "it is 1 to 40 of a-z, 0-9 and '-', and begins with no '-'")
    return text


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise invalid("CONTROL_EXPIRES_AT", "it is a moment with its zone, such as 2026-03-01T14:00:00+00:00")
    return found


def _folder(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _domain(text: str) -> str:
    """It goes into the edge's files, so nothing but a host's name passes."""
    if len(text) > _DOMAIN_LIMIT or not all(_LABEL.fullmatch(part) for part in text.split(".")):
        raise invalid("CONTROL_DOMAIN", "it is a host's name in small letters, such as pipeline.example.com")
    return text
