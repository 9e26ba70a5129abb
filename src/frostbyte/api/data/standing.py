"""A plane that was told to stop answers nobody, and one that is updated takes nothing: the gate of its application.

The refusal comes before any token is looked at. Requests that are being answered when their kind begins to be refused
get half a minute, streams end at once (streams.py), and what is not through by then is cut.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frostbyte.api.http.problems import problem
from frostbyte.console.assets import PREFIX
from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.standing import refusal
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.records import PlaneState, Upkeep

OPEN: Final = frozenset({"/health", "/ready", "/metrics"})
"""What is answered in every state: operators have to see it. So are the assets of the page that says no."""
GRACE_SECONDS: Final = 30.0
"""What requests in flight get (the design's number)."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
WAIT_SECONDS: Final = 10.0
"""How long a request waits at a plane that was started in the middle of an update: in a moment it is opened or led
back. Less than proxies in front of it wait for an answer."""
MOST_WAIT: Final = 256
"""Requests that wait so at once; more are refused."""
RETRY_SECONDS: Final = "60"
"""A suspension is somebody's decision: asking every second ends it no sooner."""
_ASKING: Final = re.compile(r"/api/v1/(?:query|documents/[^/]+/replay|audit/export|policy/test)")
"""What changes nothing though it is posted (a test goes through all routes): questions with a body."""


class _Cut(ClientDisconnect):
    """The answer had begun: the connection is closed, so that nobody takes half of it for the whole."""


@dataclass
class _Open:
    """A request that is being answered."""

    task: asyncio.Task[object]
    writing: bool
    loop: asyncio.AbstractEventLoop
    begun: bool = False
    cut: bool = False
    timer: asyncio.TimerHandle | None = None

    def let_run(self, seconds: float) -> None:
        """Cut it after so many seconds; what is told first counts."""
        if self.timer is None:
            self.timer = self.loop.call_later(seconds, self._end)

    def spare(self) -> None:
        """Let it run to its end."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _end(self) -> None:
        self.cut = True
        self.task.cancel()


class Standing:
    """The layer that refuses.

    Args:
        app: what is inside.
        gate: says whether it is open.
        grace: seconds that requests in flight get.
    """

    def __init__(self, app: ASGIApp, gate: Gate, grace: float = GRACE_SECONDS) -> None:
        self._app = app
        self._gate = gate
        self._grace = grace
        self._requests: dict[int, _Open] = {}
        self._updating = gate.upkeep is Upkeep.FROZEN and gate.state is PlaneState.ACTIVE
        self._waiting = 0
        gate.listen(self._heard)
        gate.count(
            lambda: len(self._requests), lambda: sum(request.writing for request in list(self._requests.values()))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        writing = writes(scope["method"], scope["path"])
        refused = self._refusal(writing)
        if refused is not None and self._updating:
            refused = await self._opened(writing)
        if refused is not None:
            await _refuse(refused, scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        request = self._requests[id(scope)] = _Open(task, writing, asyncio.get_running_loop())
        # Whoever closed the gate in between did not see this request.
        if self._refusal(writing) is not None:
            request.let_run(self._grace)

        async def passed(message: Message) -> None:
            request.begun = True
            await send(message)

        try:
            await self._app(scope, receive, passed)
        except asyncio.CancelledError:
            if not request.cut:
                raise
            task.uncancel()
            if request.begun:
                raise _Cut from None
            await _refuse(self._refusal(writing) or _over(), scope, receive, send)
        finally:
            request.spare()
            del self._requests[id(scope)]

    async def _opened(self, writing: bool) -> Unavailable | None:
        """What is answered when the update that this process was started in is over, or takes too long."""
        if self._waiting >= MOST_WAIT:
            return self._refusal(writing)
        told, loop = asyncio.Event(), asyncio.get_running_loop()

        def heard() -> None:
            with suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(told.set)

        self._waiting += 1
        leave = self._gate.listen(heard)
        try:
            if self._refusal(writing) is not None:  # it may have been opened in between
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), WAIT_SECONDS)
        finally:
            leave()
            self._waiting -= 1
        return self._refusal(writing)

    def _refusal(self, writing: bool) -> Unavailable | None:
        return self._gate.refuses_writing if writing else self._gate.refusal

    def _heard(self) -> None:
        """From whatever thread: give those that run their time, or let them run."""
        self._updating = self._updating and self._gate.upkeep is Upkeep.FROZEN
        for request in list(self._requests.values()):
            with suppress(RuntimeError):  # its loop ended meanwhile, and so did it
                if self._refusal(request.writing) is None:
                    request.loop.call_soon_threadsafe(request.spare)
                else:
                    request.loop.call_soon_threadsafe(request.let_run, self._grace)


def writes(method: str, path: str) -> bool:
    """Whether a request takes, decides or begins something."""
    return method not in _READING and not (method == "POST" and _ASKING.fullmatch(path))


class Watching:
    """Ends an endless answer at once when the plane is told to stop.

    with Watching(gate) as stopping:
        await stopping.sleep(seconds)
        if stopping.told is not None: ...
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def __enter__(self) -> Watching:
        self._leave = self._gate.listen(self._heard)
        return self

    def __exit__(self, *exc: object) -> None:
        self._leave()

    @property
    def told(self) -> Unavailable | None:
        """What everybody is answered now; None while the plane is active."""
        return self._gate.refusal

    async def sleep(self, seconds: float) -> None:
        """For so long, or until the plane is told to stop."""
        if self.told is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), seconds)

    def _heard(self) -> None:
        with suppress(RuntimeError):  # the loop ended meanwhile
            if self.told is None:
                return
            self._loop.call_soon_threadsafe(self._event.set)


def _over() -> Unavailable:
    """For who was cut a moment before the plane was resumed."""
    said = refusal(PlaneState.SUSPENDED)
    assert said is not None
    return said


async def _refuse(said_by: Unavailable, scope: Scope, receive: Receive, send: Send) -> None:
    said = problem(Request(scope), 503, said_by.code, said_by.message, said_by.remedy)
    said.headers["Retry-After"] = RETRY_SECONDS
    await said(scope, receive, send)
