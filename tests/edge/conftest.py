"""A real Traefik with an edge's files, and gateways behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from edge.upstreams import Upstream
from edge.world import World
from servers.lanes import need


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need("traefik")
    made = World(tmp_path_factory.mktemp("edge"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def upstream() -> Iterator[Callable[[str], Upstream]]:
    made: list[Upstream] = []

    def start(name: str) -> Upstream:
        made.append(Upstream(name))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails leaves no bad file to the next one."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").keeper.mend()
