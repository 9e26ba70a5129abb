"""Fixtures of real servers. Each is one for a test module, started at its first use and stopped at its end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostbyte.adapters.hetzner.world.world import World
from frostbyte.api.hetzner.serving import Serving
from servers.clamd import ClamdServer
from servers.embedder import EmbedderServer
from servers.hetzner import HeldWorld
from servers.lanes import need
from servers.minio import MinioServer
from servers.postgres import PostgresServer
from servers.redis import RedisServer
from servers.vectors import VectorsServer


@pytest.fixture(scope="module")
def servers_folder() -> Iterator[Path]:
    """A folder for the data of a module's servers, which the database's account can enter as well."""
    folder = Path(tempfile.mkdtemp(prefix="frostbyte-servers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def redis_server(servers_folder: Path) -> Iterator[RedisServer]:
    need("redis")
    with RedisServer(servers_folder / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def postgres_server(servers_folder: Path) -> Iterator[PostgresServer]:
    with PostgresServer(servers_folder / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def minio_server(servers_folder: Path) -> Iterator[MinioServer]:
    need("minio")
    with MinioServer(servers_folder / "minio") as server:
        yield server


@pytest.fixture(scope="module")
def clamd_server(servers_folder: Path) -> Iterator[ClamdServer]:
    need("clamd")
    with ClamdServer(servers_folder / "clamd") as server:
        yield server


@pytest.fixture(scope="module")
def vectors_server(servers_folder: Path) -> Iterator[VectorsServer]:
    with VectorsServer(servers_folder / "vectors") as server:
        yield server


@pytest.fixture(scope="module")
def embedder_server(servers_folder: Path) -> Iterator[EmbedderServer]:
    with EmbedderServer(servers_folder / "embedder") as server:
        yield server


@pytest.fixture
def hetzner_world() -> Iterator[World]:
    """A simulated Hetzner Cloud of its own for each test, in which everything is done at once (docs/simulator.md)."""
    world = HeldWorld()
    yield world
    world.close()


@pytest.fixture
def hetzner() -> Iterator[Serving]:
    """The same behind HTTP: `endpoint` and `token` for a client, `world` for faults and the bill."""
    with Serving(HeldWorld()) as serving:
        yield serving
