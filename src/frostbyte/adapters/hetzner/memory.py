"""The same client over a world in this process: no socket, no server, and time as the world has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from frostbyte.adapters.hetzner.calls import READ_SECONDS, Counted, Reply, Tap
from frostbyte.adapters.hetzner.client import HetznerCloud
from frostbyte.adapters.hetzner.errors import failure, odd_reply
from frostbyte.adapters.hetzner.pace import Pace
from frostbyte.adapters.hetzner.waiting import AT_ONCE, CALM, Waiting
from frostbyte.adapters.hetzner.world.latency import NONE
from frostbyte.adapters.hetzner.world.world import World


class WorldCalls(Counted):
    """Requests that a world answers. Safe for many threads.

    Args:
        token: of one of its projects.
    """

    def __init__(self, world: World, token: str, *, pace: Pace | None = None, tap: Tap | None = None) -> None:
        super().__init__(pace or Pace(lambda: seconds_of(world), lambda wait: time.sleep(world.clock.wait(wait))), tap)
        self._world = world
        self._token = token

    def __repr__(self) -> str:
        return f"WorldCalls(requests={self.requests})"

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Send one request, once."""
        return self.around(method, path, lambda: self._send(method, path, params, body))

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Mapping[str, Any] | None) -> Reply:
        query = {
            key: list(map(str, value if isinstance(value, list) else [value])) for key, value in (params or {}).items()
        }
        content = b"" if body is None else msgspec.json.encode(body)
        answer = self._world.call(self._token, method, path, query, content)
        if answer.wait > 0:
            time.sleep(min(answer.wait, READ_SECONDS))
        if answer.broken or answer.wait > READ_SECONDS:
            self.pace.unheard()
            raise failure("cloud_unreachable")
        self.pace.heard(answer.headers)
        # By way of JSON: what the world keeps is not handed out, and numbers are as a client reads them.
        reply = {} if answer.body is None else msgspec.json.decode(msgspec.json.encode(answer.body))
        if answer.status >= 400 or answer.page:
            error = {} if answer.page else reply.get("error", {})
            raise self.refusal(answer.status, answer.headers, error.get("code", ""), error.get("message", ""))
        if not isinstance(reply, dict):
            raise odd_reply("JSON object")
        return reply


def waiting_in(world: World, calls: WorldCalls) -> Waiting:
    """Waiting by the world's time: not at all where nothing takes any."""
    patience = AT_ONCE if world.latency == NONE else CALM
    return Waiting(calls, patience, lambda: seconds_of(world), world.clock.wait)


def memory_cloud(world: World, token: str, environment: str, *, tap: Tap | None = None) -> HetznerCloud:
    """A project of a world."""
    calls = WorldCalls(world, token, tap=tap)
    return HetznerCloud(calls, environment, waiting_in(world, calls))


def seconds_of(world: World) -> float:
    """The world's time as seconds."""
    return world.clock.now().timestamp()
