"""A simulated Hetzner Cloud whose every reply is held to the description of the API (tests/hetzner/replies.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frostbyte.adapters.hetzner.world.call import Answer
from frostbyte.adapters.hetzner.world.world import World
from hetzner.described import check


class HeldWorld(World):
    """A world that fails where it answers otherwise than the API is described."""

    def call(
        self,
        token: str,
        method: str,
        path: str,
        query: Mapping[str, Sequence[str]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        answer = super().call(token, method, path, query, body)
        check(method, path, answer)
        return answer
