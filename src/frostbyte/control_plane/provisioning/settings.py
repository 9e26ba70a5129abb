"""Settings of provisioning: what it may act with. Nothing is asked for: without a token nobody is provisioned.

FROSTBYTE_HCLOUD_TOKEN     _FILE too: of the only Hetzner project; where there are several, each has a file of its own,
                           projects/{project_id}/hcloud_token in the control plane's data folder, mode 0600
FROSTBYTE_HCLOUD_ENDPOINT  another address of the API, such as the simulator's
FROSTBYTE_DNS_PROVIDER     `hetzner` (the project's own zones), or a provider's name as dns-lexicon writes it
FROSTBYTE_DNS_ZONE         the zone that tenants' names lie in; left out, the domain without its first label
FROSTBYTE_DNS_TOKEN        _FILE too: for providers other than `hetzner`
FROSTBYTE_HOSTS_DIR        a folder: servers are processes of this machine, in place of SSH; with a simulated cloud
FROSTBYTE_RECOVERY_RECIPIENT  the operator's offline age recipient (age1...)
FROSTBYTE_SOPS             the program, where it is not on the path
FROSTBYTE_OPERATORS        networks (CIDR) that may reach the bastion, with commas between
FROSTBYTE_OPERATOR_KEYS    a file of public SSH keys that may enter hosts, besides the control plane's own
FROSTBYTE_LOCATIONS        where servers may be, best first: `nbg1,fsn1`
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from frostbyte.kernel.errors import Invalid, Unavailable
from frostbyte.kernel.settings import Reader, invalid

HETZNER: Final = "hetzner"
ENDPOINT: Final = "https://api.hetzner.cloud/v1"
TOKEN_FILE: Final = "hcloud_token"  # noqa: S105  # a name
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PROVIDER: Final = re.compile(r"[a-z][a-z0-9_]{1,31}")
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]{8,256}")


@dataclass(frozen=True, kw_only=True)
class ProvisioningSettings:
    """What provisioning was told."""

    data_dir: Path
    """The control plane's own."""
    token: str = field(default="", repr=False)
    """For every project that has no file of its own."""
    endpoint: str = ENDPOINT
    dns_provider: str = HETZNER
    dns_zone: str = ""
    dns_token: str = field(default="", repr=False)
    hosts_dir: Path | None = None
    recovery: str = ""
    sops: str = "sops"
    operators: tuple[str, ...] = ()
    operator_keys: tuple[str, ...] = ()
    locations: tuple[str, ...] = ("nbg1", "fsn1")

    @property
    def vault(self) -> Path:
        """The folder of sealed secrets and identities."""
        return self.data_dir / "vault"

    @property
    def releases(self) -> Path:
        """The folder that says, for each version, what it runs on hosts: `{version}.json`."""
        return self.data_dir / "releases"

    @property
    def supplies(self) -> Path:
        """The folder of what was taken to be delivered to tenants' hosts (adapters.shelf)."""
        return self.data_dir / "supplies"

    @property
    def images(self) -> Path:
        """The folder of images' archives for hosts that stand: `{sha256 of the file}.tar`."""
        return self.data_dir / "images"

    def token_file(self, project_id: str) -> Path:
        """Where a project's own token stands."""
        if not _PROJECT.fullmatch(project_id):
            raise Invalid("project_invalid", "No project is called that.", "Check the project's id.")
        return self.data_dir / "projects" / project_id / TOKEN_FILE

    def token_of(self, project_id: str) -> str:
        """The token to act with in a project; '' where there is none.

        Raises:
            Invalid: `secret_permissions`: its file is open to others; `cloud_token_invalid`.
        """
        path = self.token_file(project_id)
        try:
            found = path.stat()
        except FileNotFoundError:
            return self.token
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            raise Invalid(
                "secret_permissions",
                f"The project's token file is open to others (mode {stat.S_IMODE(found.st_mode):04o}).",
                "Find out who could read it; replace the token at Hetzner, then set mode 0600.",
            )
        return _token(path.read_text(encoding="utf-8").strip())

    def required_token(self, project_id: str) -> str:
        """The same; raises Unavailable("cloud_token_missing") where there is none."""
        token = self.token_of(project_id)
        if not token:
            raise Unavailable(
                "cloud_token_missing",
                f"No token of the cloud is known for the project {project_id}: nothing can be made or removed there.",
                "Set FROSTBYTE_HCLOUD_TOKEN_FILE, or put the token into projects/{id}/hcloud_token (mode 0600) in the "
                "control plane's data folder.",
            )
        return token


def load(given: Reader, data_dir: Path, domain: str) -> ProvisioningSettings:
    """Settings of provisioning.

    Raises:
        Invalid: `settings_invalid`, naming the variable; a secret's value is never shown.
    """
    token = given.secret("HCLOUD_TOKEN")
    if token and not _TOKEN.fullmatch(token):
        raise invalid("HCLOUD_TOKEN", "it is 8 to 256 letters and digits, as Hetzner's console shows it once")
    provider = given.text("DNS_PROVIDER", HETZNER)
    if not _PROVIDER.fullmatch(provider):
        raise invalid("DNS_PROVIDER", "it is 'hetzner' or a provider's name such as cloudflare")
    return ProvisioningSettings(
        data_dir=data_dir,
        token=token,
        endpoint=_endpoint(given.text("HCLOUD_ENDPOINT", ENDPOINT)),
        dns_provider=provider,
        dns_zone=_zone(given.text("DNS_ZONE", ""), domain),
        dns_token=given.secret("DNS_TOKEN"),
        hosts_dir=_folder(given.text("HOSTS_DIR", "")),
        recovery=given.text("RECOVERY_RECIPIENT", ""),
        sops=given.text("SOPS", "sops"),
        operators=_networks(given.text("OPERATORS", "")),
        operator_keys=_keys(given.file("OPERATOR_KEYS")),
        locations=_locations(given.text("LOCATIONS", "nbg1,fsn1")),
    )


def from_environment(data_dir: Path, domain: str, environment: Mapping[str, str] | None = None) -> ProvisioningSettings:
    """The same, read from the environment's variables."""
    return load(Reader(os.environ if environment is None else environment), data_dir, domain)


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise Invalid(
            "cloud_token_invalid",
            "The project's token file holds no token.",
            "Put the token there as Hetzner's console shows it once, and nothing else.",
        )
    return text


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
        raise invalid("HCLOUD_ENDPOINT", "it is an https address; plain http reaches this host alone")
    return text.rstrip("/")


def _zone(text: str, domain: str) -> str:
    zone = text or domain.partition(".")[2] or domain
    if zone != domain and not domain.endswith(f".{zone}"):
        raise invalid("DNS_ZONE", "the domain of the tenants does not lie in it")
    return zone


def _folder(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _networks(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        networks = [ip_network(part) for part in parts]
    except ValueError:
        raise invalid("OPERATORS", "it lists networks such as 198.51.100.0/24") from None
    if any(network.prefixlen == 0 for network in networks):
        raise invalid("OPERATORS", "the whole internet is nobody's network")
    return tuple(map(str, networks))


def _keys(path: str) -> tuple[str, ...]:
    if not path:
        return ()
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not all(key.startswith(("ssh-", "ecdsa-", "sk-")) for key in keys):
        raise invalid("OPERATOR_KEYS", "each line of the file is a public SSH key")
    return keys


def _locations(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or not all(_LOCATION.fullmatch(part) for part in parts) or len(set(parts)) != len(parts):
        raise invalid("LOCATIONS", "it lists locations such as nbg1, each once")
    return parts
