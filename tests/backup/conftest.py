"""A repository in memory, and targets that misbehave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from frostbyte.adapters.memory.blobs import MemoryBlobs
from frostbyte.kernel.backup.repository import Repository
from frostbyte.kernel.backup.target import Target
from frostbyte.kernel.clock import SystemClock
from frostbyte.kernel.ports.blobs import BlobStore

KEY = bytes(range(32))


class Clocked(MemoryBlobs):
    """A store whose clock a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(lambda: self.now)


@pytest.fixture
def store() -> Clocked:
    return Clocked()


@pytest.fixture
def made() -> Callable[[BlobStore], Repository]:
    """Opens or makes the repository in a store."""

    def make(store: BlobStore) -> Repository:
        return Repository.create(
            Target(store), owner="tenant/acme", key_of=lambda _: KEY, seal_key=bytes, clock=SystemClock()
        )

    return make
