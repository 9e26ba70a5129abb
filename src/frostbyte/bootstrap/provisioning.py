"""Provisioning's wiring: which cloud, zone, vault and hosts stand behind the ports, for each project one set.

A project is opened when it is first worked in, with the token of that moment; without one it cannot be worked in, and
everything else goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from frostbyte import __version__
from frostbyte.adapters.dns.hetzner import HetznerDns
from frostbyte.adapters.dns.lexicon import LexiconDns, credentials
from frostbyte.adapters.dns.simulated import SimulatedAuthority
from frostbyte.adapters.hetzner.calls import HcloudCalls, on_this_host
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.waiting import Waiting
from frostbyte.adapters.hosts.ssh import SshHosts
from frostbyte.adapters.qdrant.names import token
from frostbyte.adapters.redis.acl import rules as queue_rights
from frostbyte.adapters.secrets.files import FileSecrets
from frostbyte.adapters.vault.program import Sops
from frostbyte.adapters.vault.sops import SopsVault
from frostbyte.bootstrap.authorities import Authorities, HostCertificates
from frostbyte.bootstrap.channels import Channels
from frostbyte.bootstrap.local_hosts import usual
from frostbyte.bootstrap.tenant_backups import TenantBackups
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.ports import Cloud, Dns, Hosts, ProvisioningFactory, Vault
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.settings import HETZNER
from frostbyte.control_plane.provisioning.steps import Action, Doing
from frostbyte.control_plane.provisioning.workshop import Place, ProjectWorkshop
from frostbyte.control_plane.settings import ControlSettings
from frostbyte.deploy.hosts.building import scripts
from frostbyte.deploy.hosts.renderer import HostRenderer
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid, Unavailable
from frostbyte.kernel.ports.signing_keys import SigningKeyStore
from frostbyte.kernel.settings import Mode

SSH: Final = "ssh"
"""The seed of the control plane's own SSH key, among its keys."""
FIRST_HOST_KEYS: Final = "first-host-keys"
"""The seed of servers' first host keys."""


def ssh_key(secrets: FileSecrets) -> tuple[str, str]:
    """The key by which the control plane enters hosts: private (OpenSSH, PEM) and public (one line)."""
    key = Ed25519PrivateKey.from_private_bytes(secrets.secret(SSH))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode("ascii"), f"{public.decode('ascii')} frostbyte-control"


def release(folder: Path, version: str) -> Release:
    """What a version runs on hosts: `{version}.json` in the folder.

    Raises:
        Conflict: `release_unknown`.
        Invalid: `release_unreadable`.
    """
    path = folder / f"{Path(version).name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Release)
    except FileNotFoundError:
        raise Conflict(
            "release_unknown",
            f"Nothing says which images version {version} runs on hosts.",
            "Build the snapshot of this version (`frostbyte hosts build`): it writes that down.",
        ) from None
    except (msgspec.DecodeError, OSError) as error:
        raise Invalid(
            "release_unreadable",
            f"What version {version} runs on hosts cannot be read ({type(error).__name__}).",
            "Write it anew: `frostbyte hosts build`.",
        ) from None


@dataclass(frozen=True)
class OwnKeys:
    """What the control plane itself is known by.

    Attributes:
        secrets: its own keys; of SSH too.
        keys: which directives are signed with; hosts are told whom to believe.
        authorities: the tenants'.
    """

    secrets: FileSecrets
    keys: SigningKeyStore
    authorities: Authorities


@dataclass(frozen=True, kw_only=True)
class Site:
    """See sweeping.Site."""

    cloud: Cloud
    dns: Dns


class Clouds:
    """What is opened of each project. From any thread.

    Args:
        settings: the control plane's.
        unit_of_work: of registry and journal.
        channels: the ways to planes.
        hosts: in place of SSH; for demonstrations.
        base: how what only a base has is done, from what is acted on and with the token; nothing without it.
    """

    def __init__(
        self,
        settings: ControlSettings,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        own: OwnKeys,
        channels: Channels,
        *,
        hosts: Hosts | None = None,
        base: Callable[[World, str], Mapping[Action, Doing]] | None = None,
    ) -> None:
        self._settings, self._told = settings, settings.provisioning
        self._unit_of_work, self._clock = unit_of_work, clock
        self._secrets, self._keys = own.secrets, own.keys
        self._certificates, self.channels = HostCertificates(own.authorities), channels
        self._hosts, self._base = hosts, base
        self.backups = TenantBackups(settings, lambda: self.vault)
        self._held: Vault | None = None
        self._opened: dict[str, tuple[str, HcloudCalls]] = {}
        self._shops: dict[tuple[HcloudCalls, bool], ProjectWorkshop] = {}
        self._worlds: dict[HcloudCalls, World] = {}
        self._ends: list[Callable[[], None]] = []
        self._lock = threading.RLock()

    @property
    def place(self) -> Place:
        """Where planes are."""
        return Place(
            domain=self._settings.domain,
            zone=self._told.dns_zone,
            release=__version__,
            operators=self._told.operators,
            locations=self._told.locations,
            images={},
        )

    def releases(self, version: str) -> Release:
        """What a version runs on hosts. Raises as `release`."""
        return usual(version) if self._told.hosts_dir else release(self._told.releases, version)

    @property
    def supplies(self) -> Path:
        """The folder of what was taken to be delivered."""
        return self._told.supplies

    @property
    def certificates(self) -> HostCertificates:
        """The tenants' authorities."""
        return self._certificates

    @property
    def vault(self) -> Vault:
        """Sealed secrets.

        Raises:
            Unavailable: `sops_missing`; `recovery_recipient_missing` but in development.
            Invalid: `recovery_recipient_invalid`, `secret_permissions`.
        """
        if not self._told.recovery and self._settings.mode is not Mode.DEVELOPMENT:
            raise Unavailable(
                "recovery_recipient_missing",
                "Tenants' secrets would be lost with this host: nobody offline could open them.",
                "Set FROSTBYTE_RECOVERY_RECIPIENT to a public key (age1...) that `age-keygen` made on another machine.",
            )
        with self._lock:
            if self._held is None:
                self._held = SopsVault(self._told.vault, Sops(self._told.sops), self._told.recovery)
            return self._held

    def site(self, project_id: str) -> Site:
        """What is there in a project. Raises as `cloud` and `dns`."""
        return Site(cloud=self.cloud(project_id), dns=self.dns(project_id))

    def cloud(self, project_id: str) -> Cloud:
        """A project's cloud. Raises Unavailable("cloud_token_missing"); Invalid as `settings.token_of`."""
        return HetznerCloud(self._calls(project_id), self._settings.environment)

    def dns(self, project_id: str) -> Dns:
        """The provider of a project's zone. Raises as `cloud`; Invalid: `dns_provider_unknown`."""
        return self._zones(self._calls(project_id))

    def world(self, project_id: str) -> World:
        """What is acted on in a project.

        Raises:
            Unavailable: `cloud_token_missing`, `sops_missing`, `recovery_recipient_missing`.
            Invalid: `recovery_recipient_invalid`, `secret_permissions`, `cloud_token_invalid`, `dns_provider_unknown`.
        """
        calls = self._calls(project_id)
        with self._lock:
            if calls not in self._worlds:
                self._worlds[calls] = self._world(calls)
            return self._worlds[calls]

    def workshop(self, owner: Owner) -> ProjectWorkshop:
        """Where an owner is worked for: apply.Workshops. Raises as `world`."""
        world, calls, base = self.world(owner.project_id), self._calls(owner.project_id), not owner.tenant_id
        with self._lock:
            if (calls, base) not in self._shops:
                more: Mapping[Action, Doing] = {}
                if base and self._base is not None:
                    more = self._base(world, self._told.required_token(owner.project_id))
                self._shops[calls, base] = ProjectWorkshop(world, self.place, more)
            return self._shops[calls, base]

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for end in self._ends:
                end()
            self._ends.clear()

    def _calls(self, project_id: str) -> HcloudCalls:
        """A token that was replaced is used from the next call on."""
        token = self._told.required_token(project_id)
        with self._lock:
            held = self._opened.get(project_id)
            if held is None or held[0] != token:
                calls = HcloudCalls(token, self._told.endpoint, ca_file=self._settings.ca_file)
                held = self._opened[project_id] = (token, calls)
            return held[1]

    def _world(self, calls: HcloudCalls) -> World:
        private, public = ssh_key(self._secrets)
        waiting = Waiting(calls)
        return World(
            cloud=HetznerCloud(calls, self._settings.environment, waiting),
            dns=self._zones(calls, waiting),
            zone=self._told.dns_zone,
            hosts=self._reached(private),
            vault=self.vault,
            renderer=HostRenderer(queue_rights, token),
            certificates=self._certificates,
            releases=self.releases,
            unit_of_work=self._unit_of_work,
            clock=self._clock,
            seed=self._secrets.secret(FIRST_HOST_KEYS),
            people=(public, *self._told.operator_keys),
            control_keys=lambda: "".join(f"{key}\n" for key in self._keys.keys().accepted),
            log_key=lambda way: self.channels(way).standing().log_key,
            scripts=scripts(),
            images=self._told.images,
            kept=self.backups.kept,
            forget=self.backups.forget,
        )

    def _zones(self, calls: HcloudCalls, waiting: Waiting | None = None) -> Dns:
        told = self._told
        if told.dns_provider == HETZNER:
            return HetznerDns(
                calls, waiting, SimulatedAuthority(told.endpoint) if on_this_host(told.endpoint) else None
            )
        return LexiconDns(told.dns_provider, credentials(told.dns_token), zones=(told.dns_zone,))

    def _reached(self, private: str) -> Hosts:
        if self._hosts is None:
            hosts = SshHosts(private)
            self._ends.append(hosts.close)
            self._hosts = hosts
        return self._hosts
