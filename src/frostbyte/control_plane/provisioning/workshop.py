"""All that is needed to work for the owners of one project: what is wanted, what is there, and how it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frostbyte.control_plane.provisioning.building import BuildRequest, build_plan, build_request
from frostbyte.control_plane.provisioning.desired import LOCATIONS, DesiredBase, Ground, checked_base, ground
from frostbyte.control_plane.provisioning.doing.table import World, doings
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.plan import plan
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.resources import Found, Owner
from frostbyte.control_plane.provisioning.steps import Action, Doing, Plan


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where planes of this environment are, beside what the journal says.

    Attributes:
        domain: tenants are reached at `{tenant}.{domain}`.
        zone: the DNS zone in which that lies.
        release: version of Frostbyte for new hosts.
        operators: networks (CIDR) from which the bastion may be reached.
        locations: where servers may be, best first, for what says nothing of its own.
        images: what hosts start from while no snapshot was built, by architecture; {} where one has to be.
    """

    domain: str
    zone: str
    release: str
    operators: tuple[str, ...] = ()
    locations: tuple[str, ...] = LOCATIONS
    images: Mapping[str, str]

    def ground(self, base: Sequence[EntryRow]) -> Ground:
        """What a project's base has laid, from its journal: a snapshot that was built there comes first."""
        laid = ground(base, domain=self.domain, zone=self.zone, release=self.release)
        return replace(laid, images={**self.images, **laid.images})


class ProjectWorkshop:
    """See apply.Workshop: one for all owners of a project.

    Args:
        world: what is acted on.
        place: see there.
        more: doings beside those of doing.table, or in their place.
    """

    def __init__(self, world: World, place: Place, more: Mapping[Action, Doing] | None = None) -> None:
        self._world, self._place = world, place
        self._doings = {**doings(world), **(more or {})}
        self._planner = Planner(
            world.unit_of_work,
            lambda _: world.cloud,
            lambda _: world.dns,
            lambda _, base: place.ground(base),
            world.clock,
            place.locations,
        )

    @property
    def doings(self) -> Mapping[Action, Doing]:
        """How each action is done."""
        return self._doings

    def plan(self, owner: Owner, request: Mapping[str, Any]) -> Plan:
        """What is to be done for a request. Raises as `Planner.tenant`; Invalid: `base_request_invalid`."""
        if owner.tenant_id:
            return self._planner.tenant(owner.tenant_id, request).plan
        if (asked := build_request(request)) is not None:
            return self._build(owner, asked, request)
        with self._world.unit_of_work() as uow:
            entries = uow.journal.entries(owner)
        wanted = self._base(owner, self._place.ground(entries), request)
        cloud = self._world.cloud
        return plan(wanted, cloud.observe(owner), entries, cloud.catalogue(), self._world.clock.now())

    def leftovers(self, owner: Owner) -> Sequence[Found]:
        """Everything that carries the owner's labels, records included; those are named as their steps are."""
        records = [
            replace(one, name=f"{one.name}.{one.facts['zone']}/{one.resource_id.rpartition('/')[2]}")
            for one in self._world.dns.observe()
        ]
        return [one for one in [*self._world.cloud.observe(owner), *records] if owner.owns(one.labels)]

    def _build(self, owner: Owner, asked: BuildRequest, request: Mapping[str, Any]) -> Plan:
        world, locations = self._world, tuple(request.get("locations", self._place.locations))
        sold, now = world.cloud.catalogue(), world.clock.now()
        return build_plan(owner, asked, world.scripts, world.people[0], sold, locations, now)

    def _base(self, owner: Owner, on: Ground, request: Mapping[str, Any]) -> DesiredBase:
        place = self._place
        return checked_base(
            DesiredBase(
                owner=owner,
                ground=on,
                operators=place.operators,
                ssh_public_key=self._world.people[0],
                hostnames=(f"control.{place.domain}",),
                locations=tuple(request.get("locations", place.locations)),
                types={role: tuple(types) for role, types in request.get("types", {}).items()},
            )
        )
