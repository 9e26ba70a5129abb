"""Which `Doing` does which action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from frostbyte.control_plane.provisioning.building import Scripts
from frostbyte.control_plane.provisioning.doing import building, hosts, networks, servers, signing, tenants, volumes
from frostbyte.control_plane.provisioning.doing.giving import Giving, Kept, Releases, nowhere, user_data
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.ports import (
    Certificates,
    Cloud,
    Dns,
    Hosts,
    ProvisioningFactory,
    Renderer,
    Vault,
)
from frostbyte.control_plane.provisioning.receipts import Destroying, Erasing
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action, Context, Doing
from frostbyte.control_plane.provisioning.sweeping import was_active
from frostbyte.kernel.clock import Clock


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that actions act on, for the owners of one project.

    Attributes:
        zone: the DNS zone of the environment.
        seed: 32 secret bytes for first host keys; the same for ever.
        people: public keys that may enter hosts, one OpenSSH line each.
        control_keys: the control plane's verifying keys, one a line.
        log_key: asks a plane for its log's key.
        scripts: what is run on a builder.
        images: the folder of images' archives, for hosts that lack one.
        kept: where tenants' backups are kept.
        forget: removes them; what was removed, by name.
    """

    cloud: Cloud
    dns: Dns
    zone: str
    hosts: Hosts
    vault: Vault
    renderer: Renderer
    certificates: Certificates
    releases: Releases
    unit_of_work: ProvisioningFactory
    clock: Clock
    seed: bytes = field(repr=False)
    people: tuple[str, ...]
    control_keys: Callable[[], str]
    log_key: tenants.LogKey
    scripts: Scripts
    images: Path
    kept: Kept = nowhere
    forget: Callable[[Owner], Sequence[str]] = lambda owner: ()


def doings(world: World) -> dict[Action, Doing]:
    """One for every action but the base's handover."""
    told = Told(world.unit_of_work)
    giving = Giving(world.renderer, world.vault, world.certificates, world.releases, world.control_keys, world.kept)
    images = Images(world.hosts, world.renderer, world.releases, world.images)
    destroying = Destroying(world.unit_of_work, world.vault, world.certificates, world.clock, world.forget)
    return {
        Action.SSH_KEY: networks.SshKey(world.cloud),
        Action.NETWORK: networks.Network(world.cloud),
        Action.FIREWALL: networks.Firewall(world.cloud, told),
        Action.FIREWALL_SEEN: networks.FirewallSeen(world.cloud, told),
        Action.PRIMARY_IP: networks.PrimaryIp(world.cloud),
        Action.SERVER: servers.Server(
            *(world.cloud, world.seed, told, user_data(world.renderer, told, world.people)),
            hosts.Quieting(world.hosts, told, world.renderer),
        ),
        Action.JOIN: servers.Join(world.cloud),
        Action.VOLUME: servers.Volume(world.cloud, known(world.unit_of_work)),
        Action.ATTACH: servers.Attach(world.cloud),
        Action.START: servers.Start(world.cloud),
        Action.SETTLE: hosts.Settle(world.hosts, told),
        Action.SECRETS: tenants.Secrets(world.vault, world.renderer, destroying, served(world.unit_of_work)),
        Action.UNLOCK: volumes.Unlock(world.cloud, world.hosts, told, world.vault),
        Action.CERTIFICATES: tenants.CertificatesDoing(world.certificates, world.renderer, destroying),
        Action.FILES: hosts.Files(world.hosts, told, world.renderer, giving),
        Action.DRAIN: hosts.Drain(world.hosts, told, world.renderer),
        Action.GROW: volumes.Grow(world.hosts, told, world.renderer, world.vault),
        Action.STORAGE: hosts.Storage(world.hosts, told, world.renderer, Erasing(destroying)),
        Action.DEPLOY: signing.Deploy(world.hosts, told, world.renderer, images),
        Action.SIGNING: signing.Signing(world.hosts, told, world.renderer),
        Action.RECORD: tenants.Record(world.dns, told, world.zone),
        Action.ENDPOINTS: tenants.Endpoints(world.unit_of_work, world.certificates, world.log_key, world.clock),
        Action.INSTALL: building.Install(world.hosts, told, world.scripts),
        Action.SEAL: building.Seal(world.hosts, told, world.cloud, world.scripts),
        Action.SNAPSHOT: servers.Snapshot(world.cloud),
    }


def served(unit_of_work: ProvisioningFactory) -> Callable[[Owner], bool]:
    """Whether an owner's plane was ever in service, so that its hosts may hold documents."""

    def ask(owner: Owner) -> bool:
        with unit_of_work() as uow:
            return bool(owner.tenant_id) and was_active(uow, owner.tenant_id)

    return ask


def known(unit_of_work: ProvisioningFactory) -> servers.Known:
    """Whether the journal knows a run as one of the owner that is worked for."""

    def ask(run_id: UUID, context: Context) -> bool:
        if run_id == context.run_id:
            return True
        with unit_of_work() as uow:
            run = uow.journal.run(run_id)
        return run is not None and run.owner == context.owner

    return ask
