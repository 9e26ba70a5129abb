"""A real Traefik with an edge's files, and gateways behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
