"""What a real Traefik does with the edge's files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.upstreams import Upstream
from edge.world import World
from servers.traefik import until

pytestmark = pytest.mark.slow
Start = Callable[[str], Upstream]


def test_each_tenant_is_led_to_its_own_gateway(world: World, upstream: Start) -> None:
    for name in ("acme", "globex", "initech"):
        world.open(name, upstream(name).url)
    for name in ("acme", "globex", "initech"):
        until(lambda name=name: world.status(name) == 200)  # type: ignore[misc]
        answer = world.traefik.ask(world.host(name), ca=world.ca, headers={"X-Frostbyte-Tenant": "other"})
        assert answer.body == name.encode()
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
