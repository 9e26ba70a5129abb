"""Brings a tenant's hosts what was delivered: signatures, packages, images; and takes back a set that is no good.

The scanner is looked at before anything is given up: it finds the EICAR test file and nothing in what is harmless, and
the plane says of itself that it may call documents clean again. Packages are taken back to what was there, as far as a
set that was delivered before holds it; how many cannot be is noted before the tenant is touched (`packages_final`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.provisioning.doing.hosts import Way
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import (
    HostAddress,
    HostFile,
    Hosts,
    ProvisioningFactory,
    ProvisioningUnitOfWork,
    Renderer,
)
from frostbyte.control_plane.provisioning.regiving import Regiving, Standing, moving
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    TenantRow,
)
from frostbyte.control_plane.upkeep import bringing
from frostbyte.control_plane.upkeep.duty import Stage, Task
from frostbyte.control_plane.upkeep.supplies import Part, Shelf, Supply
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid, NotFound

QUICK_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 400.0
"""For signatures to be exchanged and read, with bringing.LOADED_SECONDS in it."""
INSTALL_SECONDS: Final = 400.0
UP_SECONDS: Final = 500.0
TELLS_SECONDS: Final = 180.0
"""Until a plane has heard of its scanners: each tells every half minute."""
_LOOKED: Final = 200
"""Operations of a tenant that are looked through for what it was brought last."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a refresh is asked for.

    Attributes:
        supply: its id.
        parts: of it; () for all that it holds.
        older: whether a set may be brought that was made before the one that the tenant has.
        round: id of the delivery to all tenants that it is part of; '' for one by itself.
    """

    supply: str
    parts: tuple[Part, ...] = ()
    older: bool = False
    round: str = ""


@dataclass(frozen=True)
class Site:
    """A host of a tenant."""

    part: str
    role: HostRole
    address: HostAddress
    project: Project


Reached = Callable[[Owner], "Reach"]


@dataclass(frozen=True)
class Reach:
    """What a project's hosts are worked on with."""

    hosts: Hosts
    renderer: Renderer
    images: Images


class Refreshing:
    """See the module, and `duty.Duty`.

    Args:
        reached: what an owner's hosts are worked on with.
        channels: the way to a plane.
        regiving: knows which tenants have hosts that stand.
        shelf: what was taken.
    """

    kinds = frozenset({OperationKind.REFRESH})
    event = EventType.TENANT_REFRESHED

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        reached: Reached,
        channels: Callable[[EndpointsRow], PlaneChannel],
        regiving: Regiving,
        shelf: Shelf,
        clock: Clock,
    ) -> None:
        self._unit_of_work, self._reached, self._channels = unit_of_work, reached, channels
        self._regiving, self._shelf, self._clock = regiving, shelf, clock

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See Duty.

        Raises:
            NotFound: `supply_unknown`.
            Invalid: `supply_part_missing`.
            Conflict: `supply_older`, `tenant_moves`.
        """
        asked = msgspec.convert(request, Asked)
        supply = self._shelf.supply(asked.supply)
        lacking = sorted(set(asked.parts) - set(supply.parts))
        if lacking:
            raise Invalid(
                "supply_part_missing",
                f"The set holds no {lacking[0]}.",
                f"It holds {', '.join(supply.parts)}: name one of these, or leave the parts out.",
            )
        if all(owner.tenant_id != tenant.tenant_id for owner in self._regiving.standing()):
            raise moving()
        before = had(uow, self._shelf, tenant.tenant_id)
        if before is not None and before.created_at > supply.created_at and not asked.older:
            raise Conflict(
                "supply_older",
                f"The tenant has {before.supply_id}, which was made after {supply.supply_id}.",
                "Bring a newer set; to go back to this one, say so: --older.",
            )
        return msgspec.to_builtins(msgspec.structs.replace(asked, parts=asked.parts or supply.parts))  # type: ignore[no-any-return]

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """Only of the parts that were asked for."""
        parts = msgspec.convert(operation.request, Asked).parts
        scanned, packaged = Part.SIGNATURES in parts, Part.PACKAGES in parts
        return (
            *([Stage(name="noted", do=self._noted)] if packaged else []),
            Stage(name="brought", do=self._brought, undo=self._unbrought),
            *([Stage(name="packages_installed", do=self._installed, undo=self._uninstalled)] if packaged else []),
            *([Stage(name="signatures_exchanged", do=self._exchanged, undo=self._put_back)] if scanned else []),
            Stage(name="looked_at", do=self._looked_at, final=True),
            Stage(name="tidied", do=self._tidied),
        )

    def details(self, task: Task) -> Mapping[str, Any]:
        """How many hosts, and which parts."""
        asked = msgspec.convert(task.request, Asked)
        return {"codes": sorted(asked.parts)}

    # -- stages --------------------------------------------------------------------------------------------------------

    def _noted(self, task: Task) -> Mapping[str, Any]:
        """Which versions of the packages hosts have now."""
        reach, supply = self._reached(task.owner), self._supply(task)
        script = bringing.versions(one.package for one in supply.packages)
        found = {
            site.part: _parsed(reach.hosts.run(site.address, script, seconds=QUICK_SECONDS))
            for site in self._sites(task)
        }
        final = sum(self._shelf.package(*there) is None for all_there in found.values() for there in all_there)
        return {"before": found, "packages_final": final}

    def _brought(self, task: Task) -> Mapping[str, Any]:
        """Files wait on hosts, images are in their engines; nothing that runs has changed."""
        asked, supply, mark = self._asked(task), self._supply(task), _mark(task)
        reach, sites = self._reached(task.owner), list(self._sites(task))
        loaded = 0
        for site in sites:
            if Part.SIGNATURES in asked.parts and site.project.scanner:
                place = bringing.fresh(site.project.signatures, mark)
                self._put(task, site, supply.signatures, place, site.project.signatures_owner)
            if Part.PACKAGES in asked.parts:
                self._put(task, site, supply.packages, bringing.waiting(site.project, mark), "0:0")
            if Part.IMAGES in asked.parts:
                loaded += len(reach.images.bring(site.address, supply.version, site.role))
        return {"hosts": len(sites), "images": loaded}

    def _put(self, task: Task, site: Site, pieces: Sequence[Any], folder: str, owner: str) -> None:
        hosts = self._reached(task.owner).hosts
        hosts.run(site.address, bringing.prepared(folder, owner), seconds=QUICK_SECONDS)
        for piece in pieces:  # one at a time: the largest is a fifth of a gigabyte
            content = self._shelf.file(piece.sha256).read_bytes()
            hosts.put(site.address, [HostFile(path=f"{folder}/{piece.name}", content=content, mode=0o444, owner=owner)])
            task.pause(0)

    def _unbrought(self, task: Task) -> None:
        hosts, mark = self._reached(task.owner).hosts, _mark(task)
        for site in self._sites(task):
            folders = [bringing.waiting(site.project, mark)]
            if site.project.scanner:
                folders.append(bringing.fresh(site.project.signatures, mark))
            hosts.run(site.address, bringing.removed(*folders), seconds=QUICK_SECONDS)

    def _installed(self, task: Task) -> Mapping[str, Any]:
        """Host by host: the engine keeps containers through its own update (live-restore); all are well after it."""
        reach, supply = self._reached(task.owner), self._supply(task)
        reboots = []
        for site in self._sites(task):
            script = bringing.installed(supply.packages, bringing.waiting(site.project, _mark(task)))
            said = reach.hosts.run(site.address, script, seconds=INSTALL_SECONDS)
            reach.hosts.up(site.address, site.project.folder, site.project.services, seconds=UP_SECONDS)
            if "reboot" in said.split():
                reboots.append(site.part)
            task.pause(0)
        return {"reboot": reboots}

    def _uninstalled(self, task: Task) -> None:
        """Back to the versions that were noted.

        Raises:
            Conflict: `packages_stay`: no set that was delivered holds one of them.
        """
        reach, mark = self._reached(task.owner), _mark(task)
        before: Mapping[str, Sequence[Sequence[str]]] = task.facts("noted")["before"]
        lost = 0
        for site in self._sites(task):
            now = _parsed(
                reach.hosts.run(
                    site.address,
                    bringing.versions(one.package for one in self._supply(task).packages),
                    seconds=QUICK_SECONDS,
                )
            )
            changed = [
                tuple(there) for there in before.get(site.part, ()) if list(there) not in [list(one) for one in now]
            ]
            known = [self._shelf.package(*there) for there in changed]
            older = [one for one in known if one is not None]
            lost += len(known) - len(older)
            if older:
                folder = bringing.waiting(site.project, f"{mark}-back")
                self._put(task, site, older, folder, "0:0")
                script = bringing.installed(older, folder, older=True)
                reach.hosts.run(site.address, script, seconds=INSTALL_SECONDS)
                reach.hosts.up(site.address, site.project.folder, site.project.services, seconds=UP_SECONDS)
        if lost:
            raise Conflict(
                "packages_stay",
                f"{lost} packages stay as they were delivered: no set that was taken holds what was there before.",
                "Take a set with the versions before and bring it with --older, or have the host replaced "
                "(`frostbyte tenant repair`): it starts from its snapshot.",
            )

    def _exchanged(self, task: Task) -> Mapping[str, Any]:
        hosts, supply, mark = self._reached(task.owner).hosts, self._supply(task), _mark(task)
        scanners = 0
        for site in self._scanning(task):
            script = bringing.exchanged(site.project, supply.signatures, supply.signatures_version, mark)
            hosts.run(site.address, script, seconds=LOAD_SECONDS)
            scanners += 1
            task.pause(0)
        return {"scanners": scanners, "made_at": supply.signatures_made_at}

    def _put_back(self, task: Task) -> None:
        hosts = self._reached(task.owner).hosts
        for site in self._scanning(task):
            hosts.run(site.address, bringing.put_back(site.project, _mark(task)), seconds=LOAD_SECONDS)

    def _looked_at(self, task: Task) -> Mapping[str, Any]:
        """Every scanner finds what it must, and the plane answers and may call documents clean."""
        hosts, asked = self._reached(task.owner).hosts, self._asked(task)
        for site in self._scanning(task):
            if Part.SIGNATURES in asked.parts:
                hosts.run(site.address, bringing.looked_at(site.project), seconds=QUICK_SECONDS)
        wanted = self._supply(task).signatures_made_at if Part.SIGNATURES in asked.parts else ""
        return self._plane_says(task, wanted)

    def _plane_says(self, task: Task, made_at: str) -> Mapping[str, Any]:
        """Ask until it is as it should be; what it says at the end of all patience is the reason to go back.

        Raises:
            Unavailable: `plane_unreachable` and others of the channel, which pass.
            Conflict: `plane_not_ready`, `scanner_stale`.
        """
        with self._unit_of_work() as uow:
            endpoints = uow.endpoints.get(task.owner.tenant_id)
        if endpoints is None:
            raise moving()
        deadline = self._clock.now() + timedelta(seconds=TELLS_SECONDS)
        while True:
            health = self._channels(endpoints).health()
            age = health.signatures_age_seconds
            # A plane whose scanner stands in for one tells no age: there is nothing to wait for then.
            since = (self._clock.now() - datetime.fromisoformat(made_at)).total_seconds() if made_at else None
            due = max(0.0, since) if since is not None else None
            young = due is None or age is None or age <= due + bringing.LOADED_SECONDS
            if health.ready and young and not health.signatures_trouble:
                return {"signatures_age_seconds": age, "version": health.version}
            if self._clock.now() >= deadline:
                raise _unwell(health.ready, health.signatures_trouble)
            task.pause(2.0)

    def _tidied(self, task: Task) -> Mapping[str, Any]:
        hosts, mark = self._reached(task.owner).hosts, _mark(task)
        for site in self._sites(task):
            script = bringing.removed(bringing.waiting(site.project, mark))
            if site.project.scanner and Part.SIGNATURES in self._asked(task).parts:
                script += bringing.given_up(site.project, mark)
            hosts.run(site.address, script, seconds=QUICK_SECONDS)
        return {}

    # -- what is known -------------------------------------------------------------------------------------------------

    @staticmethod
    def _asked(task: Task) -> Asked:
        return msgspec.convert(task.request, Asked)

    def _supply(self, task: Task) -> Supply:
        return self._shelf.supply(self._asked(task).supply)

    def _sites(self, task: Task) -> Iterator[Site]:
        """The tenant's hosts as its journal has them, by name: workers come after the database and the gateway."""
        with self._unit_of_work() as uow:
            entries = [row for row in uow.journal.entries(task.owner) if row.state == "done"]
        done = {row.key: outcome_of(row) for row in entries}
        reach, way = self._reached(task.owner), Way(Told(self._unit_of_work))
        for row in sorted(entries, key=lambda row: row.key):
            if row.action == Action.FILES:
                role = HostRole(row.spec["role"])
                context = Standing(task.owner, row.run_id, done, task.stop)
                yield Site(row.spec["host"], role, way.to(step_of(row), context), reach.renderer.project(role))

    def _scanning(self, task: Task) -> Iterator[Site]:
        return (site for site in self._sites(task) if site.project.scanner)


def had(uow: ProvisioningUnitOfWork, shelf: Shelf, tenant_id: str) -> Supply | None:
    """The set that a tenant was brought last; None for none, or for one that was given away."""
    for row in uow.operations.page(tenant_id=tenant_id, limit=_LOOKED):
        if row.kind is OperationKind.REFRESH and row.status is OperationStatus.SUCCEEDED:
            try:
                return shelf.supply(str(row.request["supply"]))
            except NotFound:
                return None
    return None


def _mark(task: Task) -> str:
    """Names what this operation leaves on hosts: 16 letters of its id."""
    return task.operation.operation_id.hex[-16:]


def _parsed(said: str) -> list[tuple[str, str, str]]:
    return [(words[0], words[1], words[2]) for line in said.splitlines() if len(words := line.split()) == 3]


def _unwell(ready: bool, trouble: str) -> Conflict:
    if not ready:
        return Conflict(
            "plane_not_ready", "The plane lives and cannot work after it was refreshed.", "See `tenant health`."
        )
    return Conflict(
        "scanner_stale",
        f"The plane's scanner may still call nothing clean: {trouble or 'its signatures are the old ones'}.",
        "Look at the scanner of each worker: docs/runbooks/control.md#virus-signatures-are-old.",
    )
