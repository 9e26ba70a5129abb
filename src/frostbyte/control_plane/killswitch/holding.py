"""How many legal holds a tenant's plane has: asked of the plane itself before the tenant is removed."""

from __future__ import annotations

from frostbyte.control_plane.killswitch.ports import Channels
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.kernel.errors import FrostbyteError


class Holding:
    """See control_plane.registry.ports.Holds.

    Args:
        unit_of_work: knows how planes are reached.
        channels: the way to them.
    """

    def __init__(self, unit_of_work: RegistryFactory, channels: Channels) -> None:
        self._unit_of_work = unit_of_work
        self._channels = channels

    def __call__(self, tenant_id: str) -> int | None:
        with self._unit_of_work() as uow:
            endpoints = uow.endpoints.get(tenant_id)
        if endpoints is None:
            return None
        try:
            answer = self._channels(endpoints).standing()
        except FrostbyteError:
            return None
        mine = (answer.tenant_id, answer.log_key) == (tenant_id, endpoints.log_key)
        return answer.holds if mine else None
