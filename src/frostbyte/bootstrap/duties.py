"""The duties' wiring: what is done to tenants that stand, each built of what provisioning has opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from frostbyte import __version__
from frostbyte.bootstrap.provisioning import Clouds
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, Vault
from frostbyte.control_plane.provisioning.regiving import Regiving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.upkeep import refreshing
from frostbyte.control_plane.upkeep.duty import Duty
from frostbyte.control_plane.upkeep.refreshing import Refreshing
from frostbyte.control_plane.upkeep.repairing import Means, Repairing
from frostbyte.control_plane.upkeep.rotating import Rotating
from frostbyte.control_plane.upkeep.scaling import Scaling
from frostbyte.control_plane.upkeep.supplies import Shelf
from frostbyte.control_plane.upkeep.updating import Updating
from frostbyte.kernel.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What duties are built of.

    Attributes:
        vault: sealed secrets.
        planner: compares what is there with the journal.
        runs: begins and shows runs.
        regiving: gives hosts their files again, and does their steps once more.
        shelf: what was taken, to be delivered.
    """

    unit_of_work: ProvisioningFactory
    clock: Clock
    clouds: Clouds
    vault: Vault
    planner: Planner
    runs: Provisioning
    regiving: Regiving
    shelf: Shelf


def duties(parts: Parts) -> Iterator[Duty]:
    """All that a control plane with a vault can do."""
    clouds = parts.clouds
    yield Updating(parts.unit_of_work, parts.clock, clouds.world, clouds.channels, clouds.releases, __version__)
    yield Scaling(parts.runs)
    yield Repairing(
        parts.unit_of_work, parts.planner.drift, parts.runs, parts.regiving, lambda owner: _means(parts.clouds, owner)
    )
    yield from clouds.backups.duties(clouds.world, clouds.channels, parts.regiving)
    yield Rotating(parts.unit_of_work, parts.vault, parts.clouds.certificates, parts.regiving, parts.clock)
    yield _refreshing(parts)


def _means(clouds: Clouds, owner: Owner) -> Means:
    """Raises as `Clouds.world`."""
    world = clouds.world(owner.project_id)
    return Means(cloud=world.cloud, hosts=world.hosts)


def _refreshing(parts: Parts) -> Refreshing:
    def reached(owner: Owner) -> refreshing.Reach:
        world = parts.clouds.world(owner.project_id)
        images = Images(world.hosts, world.renderer, world.releases, world.images)
        return refreshing.Reach(world.hosts, world.renderer, images)

    return Refreshing(parts.unit_of_work, reached, parts.clouds.channels, parts.regiving, parts.shelf, parts.clock)
