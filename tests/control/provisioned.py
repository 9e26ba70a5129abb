"""Provisioning for tests of the faces: real plans, runs and operations over the registry, and a cloud that only sells
and shows. Nobody carries the runs out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.memory_plane import Admin, Hands
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.desired import Ground
from frostbyte.control_plane.provisioning.desk import Desk
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.planner import Planner
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.provisioning.runs import Provisioning
from frostbyte.control_plane.registry.operations import Operations
from frostbyte.control_plane.registry.records import OperationKind, OperationRow
from frostbyte.control_plane.registry.states import Move
from provisioning.planning import GROUND, catalogue


class Shop:
    """A cloud of which plans only read."""

    def __init__(self) -> None:
        self.sold: Catalogue = catalogue()
        self.there: list[Found] = []

    def catalogue(self) -> Catalogue:
        return self.sold

    def observe(self, owner: Owner | None = None) -> list[Found]:
        return [one for one in self.there if owner is None or owner.owns(one.labels)]

    def find(self, kind: Kind, name: str) -> Found | None:
        return next((one for one in self.there if (one.kind, one.name) == (kind, name)), None)


class Provisioned(Desk):
    """The use cases, and what was asked of them."""

    def __init__(self, admin: Admin) -> None:
        store: Any = admin.control.store
        clock = admin.control.clock
        self.shop = Shop()
        shop: Any = self.shop
        self.ground: Ground = GROUND
        self.begun: list[tuple[Move, Mapping[str, Any]]] = []
        self.left: list[EntryRow] = []
        self.made = Provisioning(store.unit_of_work, clock)
        operations = Operations(store.unit_of_work, clock, self.made)
        planner = Planner(store.unit_of_work, lambda _: shop, lambda _: shop, lambda _, __: self.ground, clock)
        super().__init__(store.unit_of_work, planner, self.made, operations)
        admin.control.operations = operations
        admin.hands = Hands(operations)
        admin.control.hooks.update(dict.fromkeys(OperationKind, admin.hands.carry))
        admin.control.provisioning = self

    def begin(self, tenant_id: str, move: Move, values: Mapping[str, Any] | None = None, **how: Any) -> OperationRow:
        self.begun.append((move, values or {}))
        return super().begin(tenant_id, move, values, **how)

    def remains(self, tenant_id: str) -> list[EntryRow]:
        return self.left or super().remains(tenant_id)

    def request(self, tenant_id: str) -> dict[str, Any]:
        """What the tenant's newest run was begun with."""
        return self.made.runs(self.made.owner(tenant_id))[0].request
