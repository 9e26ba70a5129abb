"""Provisioning for tests of the faces: real plans over the registry, a cloud that sells and shows, and hosts that are
there at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.memory_plane import Admin, attachment
from frostbyte.control_plane.provisioning.catalogue import Catalogue
from frostbyte.control_plane.provisioning.desired import Ground
from frostbyte.control_plane.provisioning.drift import Difference
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.planner import Planned, Planner
from frostbyte.control_plane.provisioning.resources import Found, Kind, Owner
from frostbyte.control_plane.registry.records import OperationRow
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


class Provisioned:
    """See provisioning.asking.Asked."""

    def __init__(self, admin: Admin) -> None:
        self._operations = admin.control.operations
        self.shop = Shop()
        self.ground: Ground = GROUND
        self.begun: list[tuple[Move, Mapping[str, Any]]] = []
        self.left: list[EntryRow] = []
        self._planner = Planner(
            admin.control.store.unit_of_work,  # type: ignore[arg-type]  # its unit of work has a journal
            lambda _: self.shop,  # type: ignore[arg-type,return-value]  # as far as plans read it
            lambda _: self.shop,  # type: ignore[arg-type,return-value]
            lambda _, __: self.ground,
            admin.control.clock,
        )

    def plan(self, tenant_id: str, values: Mapping[str, Any] | None = None, *, octet: int | None = None) -> Planned:
        return self._planner.tenant(tenant_id, values, octet=octet)

    def drift(self, tenant_id: str) -> list[Difference]:
        return self._planner.drift(tenant_id)

    def remains(self, tenant_id: str) -> list[EntryRow]:
        return self.left

    def begin(
        self,
        tenant_id: str,
        move: Move,
        values: Mapping[str, Any] | None = None,
        *,
        octet: int | None = None,
        **how: Any,
    ) -> OperationRow:
        self.begun.append((move, values or {}))
        if (values or {}).get("destroy_data") is None and move in (Move.PROVISION, Move.RETRY):
            self.plan(tenant_id, values, octet=octet).plan.check()
        if move is not Move.PROVISION:
            return self._operations.begin(tenant_id, move, **how)
        how.pop("confirmation", None)
        return self._operations.attach(tenant_id, **(attachment(tenant_id) | {"ca_pem": ""} | how))


def with_hosts(admin: Admin) -> Provisioned:
    """The control plane, able to make hosts."""
    made = Provisioned(admin)
    admin.control.provisioning = made
    return made
