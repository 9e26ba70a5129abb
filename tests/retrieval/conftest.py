"""Stores of all kinds, and planes over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from frostbyte.adapters.memory.vectors import MemoryVectors
from frostbyte.adapters.qdrant.answers import connect
from frostbyte.adapters.qdrant.edge import EdgeVectors
from frostbyte.adapters.qdrant.server import ServerVectors
from frostbyte.kernel.ports.vectors import VectorStore
from retrieval.search_plane import Plane
from servers.lanes import LANES, need, reason
from servers.vectors import VectorsServer


@pytest.fixture(params=["memory", "edge", "server", "qdrant", "qdrant-grpc"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    """A store of each kind, empty. `server` is a process of ours, `qdrant` a real server where one is named."""
    if request.param in ("memory", "edge"):
        made: VectorStore = MemoryVectors() if request.param == "memory" else EdgeVectors(tmp_path / "vectors")
        yield made
        made.close()
        return
    client = connected(request)
    name = f"test_{uuid4().hex}"
    yield ServerVectors(client, name)
    client.delete_collection(name)
    client.close()


def connected(request: pytest.FixtureRequest) -> QdrantClient:
    if request.param == "server":
        server: VectorsServer = request.getfixturevalue("vectors_server")
        return connect(server.url, key=server.key)
    need("qdrant")
    port = int(os.environ.get("FROSTBYTE_TEST_QDRANT_GRPC_PORT", "0"))
    if request.param == "qdrant-grpc" and not port:
        pytest.skip(reason(LANES["qdrant"]))
    return connect(
        os.environ["FROSTBYTE_TEST_QDRANT_URL"],
        key=os.environ.get("FROSTBYTE_TEST_QDRANT_API_KEY", ""),
        grpc_port=port if request.param == "qdrant-grpc" else 0,
    )


@pytest.fixture
def plane(store: VectorStore) -> Plane:
    return Plane(store)
