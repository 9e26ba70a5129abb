"""The table of services says what the engine enforces, and every type that is listed is large enough."""

from __future__ import annotations

import pytest

from frostbyte.control_plane.provisioning import placement
from frostbyte.control_plane.provisioning.placement import Shape
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.deploy.compose.base import BaseOptions, base
from frostbyte.deploy.compose.description import Plane
from frostbyte.deploy.compose.plane import Options, plane
from provisioning.planning import catalogue


def table(*roles: HostRole) -> dict[str, int]:
    """Memory of what the table places on hosts of these roles."""
    return {placed.service: placed.memory_mb for placed in placement.TABLE if placed.role in roles}


def limits(made: Plane) -> dict[str, int]:
    return {service.name: service.limits.memory_mb for service in made.services}


def test_the_table_has_the_limits_of_a_plane_on_one_host() -> None:
    """What each host of several is given, tests/hosts holds to the same table."""
    everything = table(HostRole.GATEWAY, HostRole.WORKER, HostRole.DB)
    # What only hosts have that a control plane makes and takes away.
    for name in ("egress-proxy", "storage-destroy", "plane-backup"):
        del everything[name]
    here = limits(plane(Options(tenant="acme", version="1")))
    del here["door"]  # of a host without an edge
    assert everything == here


def test_the_table_has_what_the_edge_is_given() -> None:
    images = dict.fromkeys(("postgres", "control", "traefik"), "image")
    networks = (("172.28.0.0/24", "inside"), ("172.28.1.0/24", "outside"))
    made = base(BaseOptions(images=images, settings={}, operators=(), folder="/opt/frostbyte", networks=networks))
    assert table(HostRole.EDGE) == limits(made)


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
