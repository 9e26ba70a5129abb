"""Stores of both kinds, and planes over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.kernel.ports.vectors import VectorStore
from retrieval.search_plane import Plane


@pytest.fixture(params=["memory", "edge"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    made: VectorStore = MemoryVectors() if request.param == "memory" else EdgeVectors(tmp_path / "vectors")
    yield made
    made.close()


@pytest.fixture
def plane(store: VectorStore) -> Plane:
    return Plane(store)
