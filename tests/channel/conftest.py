"""Planes behind each kind of channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channel.plane_cases import PINNED, Ticking
from frostbyte.adapters.channel.memory import MemoryPlane


@pytest.fixture
def ticks() -> Ticking:
    return Ticking()


@pytest.fixture
def memory(ticks: Ticking) -> MemoryPlane:
    return MemoryPlane("acme", PINNED, ticks=ticks)


@pytest.fixture(params=["memory"])
def plane(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The plane itself, and the channel to it."""
    memory: MemoryPlane = request.getfixturevalue("memory")
    return memory, memory
