"""The table of services says what the engine enforces, and every type that is listed is large enough."""

from __future__ import annotations

import pytest

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.placement import Shape
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.compose.plane import Options, plane
from provisioning.planning import catalogue

MEMORY = {placed.service: placed.memory_mb for placed in placement.TABLE}
ALONE_ON_HOSTS = {"egress-proxy", "traefik", "control-plane", "control-postgres"}
"""What a plane on one host without a way out does not have."""


def test_the_table_has_the_limits_of_a_plane_on_one_host() -> None:
    limits = {service.name: service.limits.memory_mb for service in plane(Options(tenant="acme", version="1")).services}
    assert {name: MEMORY[name] for name in MEMORY.keys() - ALONE_ON_HOSTS} == limits


@pytest.mark.parametrize("role", placement.TYPES)
def test_every_listed_type_that_is_sold_is_large_enough(role: HostRole) -> None:
    sold = catalogue().types
    listed = [sold[name] for name in placement.TYPES[role] if name in sold]
    assert len(listed) >= 2, "one that is out of stock must have another beside it"
    assert all(placement.fits(role, kind.memory_mb) for kind in listed)
    assert len({kind.architecture for kind in listed}) == 2 or role is HostRole.SINGLE


def test_a_small_tenants_host_runs_everything() -> None:
    everything = {name for role in placement.roles(Shape.STANDARD) for name in placement.services(role)}
    assert set(placement.services(HostRole.SINGLE)) == everything
    assert placement.needed_mb(HostRole.SINGLE) == sum(
        placement.needed_mb(role) for role in placement.roles(Shape.STANDARD)
    )


def test_a_server_has_to_hold_all_limits_and_the_system() -> None:
    needed = placement.needed_mb(HostRole.DB)
    least = next(size for size in range(needed, 4 * needed) if placement.fits(HostRole.DB, size))
    assert placement.usable_mb(least) >= needed > placement.usable_mb(least - 1)
    assert least - needed > placement.SYSTEM_MB
    assert placement.usable_mb(0) == 0
