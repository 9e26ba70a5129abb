"""Waiting for actions: one request asks for all that any thread of a project waits for.

There is no thread of its own: whoever waits and finds nobody asking, asks for all. An action is first looked at soon
(a quick one has ended then), next when one like it usually ends, and from then on at growing intervals. What is usual
is learned from the actions that this process has seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from frostbyte.adapters.hetzner.calls import Calls
from frostbyte.adapters.hetzner.errors import failure, odd_reply, of_action
from frostbyte.control_plane.provisioning.ports import CloudError

PAGE: Final = 50
"""Actions in one request: the longest page of the API."""
_TRANSIENT: Final = frozenset({"cloud_unreachable", "cloud_server_error", "cloud_rate_limited"})
"""What may go by: looking again harms nothing."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often to look, in seconds.

    Attributes:
        first: when an action is looked at first.
        least: the shortest interval after that.
        growth: an interval is this part of what has passed already.
        usual: what is expected of a command before one was seen; of any other, nothing is.
        longest: an action that takes longer is given up as `cloud_action_slow`.
    """

    first: float = 0.3
    least: float = 0.5
    growth: float = 0.06
    usual: Mapping[str, float] = field(default_factory=dict)
    longest: float = 900.0


CALM: Final = Patience(
    usual={
        "create_server": 10.0,
        "create_image": 50.0,
        "delete_server": 3.0,
        "start_server": 3.0,
        "stop_server": 2.0,
        "attach_to_network": 2.0,
        "create_volume": 2.0,
        "attach_volume": 2.0,
        "detach_volume": 2.0,
    }
)
"""For the real API. What is usual is rounded from what people report of it, and soon replaced by what was seen."""
AT_ONCE: Final = Patience(first=0.001, least=0.002, growth=0.1, longest=30.0)
"""For a world that takes no time."""


@dataclass
class _Awaited:
    """An action that somebody waits for."""

    command: str
    begun: float
    due: float
    usual: float
    """Seconds after which it, or the slowest one that was told of with it, usually ends."""
    last: dict[str, Any] | None = None
    waiters: int = 0


class Waiting:
    """One per project. Safe for many threads.

    Args:
        clock: seconds that only grow.
        real: how many seconds of this host one has to wait until so many of the clock's are over.
    """

    def __init__(
        self,
        calls: Calls,
        patience: Patience = CALM,
        clock: Callable[[], float] = time.monotonic,
        real: Callable[[float], float] = lambda seconds: seconds,
    ) -> None:
        self._calls = calls
        self._patience = patience
        self._clock = clock
        self._real = real
        self._changed = threading.Condition()
        self._awaited: dict[int, _Awaited] = {}
        self._seen: dict[str, float] = {}
        self._asking = False
        self._refused: CloudError | None = None
        self._refusals = 0

    def until_done(self, actions: Iterable[Mapping[str, Any] | None]) -> None:
        """Wait until all have ended well.

        Args:
            actions: as a reply tells them; None is passed over.

        Raises:
            CloudError: `cloud_action_failed` or what the action's error says, `cloud_action_slow`, or what hinders
                looking for longer than may be waited.
        """
        told = [dict(action) for action in actions if action is not None]
        mine = {_number(action) for action in told}
        try:
            self._enlist(told)
            ended = self._wait(mine)
        finally:
            self._leave(mine)
        for action in ended:
            if action["status"] == "error":
                raise of_action(action)

    def pause(self, seconds: float) -> None:
        """Wait a while, for what no action tells of."""
        time.sleep(self._real(seconds * self._calls.pace.stretch))

    def _enlist(self, told: list[dict[str, Any]]) -> None:
        with self._changed:
            now = self._clock()
            commands = [str(action.get("command") or "") for action in told]
            # What follows another action ends after it, so all that one reply tells of are expected together.
            seen = max((self._seen.get(command, 0.0) for command in commands), default=0.0)
            usual = max((self._usually(command) for command in commands), default=0.0)
            for action, command in zip(told, commands, strict=True):
                new = _Awaited(command, now, now + max(self._patience.first, 0.9 * seen), usual)
                one = self._awaited.setdefault(_number(action), new)
                one.waiters += 1
                if action.get("status") != "running":
                    one.last = action
            self._changed.notify_all()  # whoever waits for the next look has a nearer one now, perhaps

    def _leave(self, mine: set[int]) -> None:
        with self._changed:
            for number in mine & self._awaited.keys():
                self._awaited[number].waiters -= 1
                if self._awaited[number].waiters <= 0:
                    del self._awaited[number]
            self._changed.notify_all()  # another one must ask now, if it was this thread's turn

    def _wait(self, mine: set[int]) -> list[dict[str, Any]]:
        ends = self._clock() + self._patience.longest
        with self._changed:
            refusals = self._refusals
            while True:
                last = [self._awaited[number].last for number in mine]
                done = [action for action in last if action is not None]
                if len(done) == len(last):
                    return done
                if self._refused is not None and self._refusals > refusals:
                    if self._refused.code not in _TRANSIENT or self._clock() >= ends:
                        raise _again(self._refused)
                elif self._clock() >= ends:
                    raise failure("cloud_action_slow", detail=self._names(mine))
                self._step(ends)

    def _step(self, ends: float) -> None:
        """Wait for another thread's look, or for the next moment to look; then look."""
        now = self._clock()
        if self._asking:
            self._changed.wait(1.0)
            return
        due = min(one.due for one in self._awaited.values() if one.last is None)
        if due > now:
            self._changed.wait(self._real(min(due, ends) - now))
            return
        numbers = [number for number, one in self._awaited.items() if one.last is None]
        self._asking = True
        self._changed.release()
        told: list[dict[str, Any]] = []
        trouble: CloudError | None = None
        try:
            told = self._look(numbers)
        except CloudError as error:
            trouble = error
        finally:
            self._changed.acquire()
            self._asking = False
            self._changed.notify_all()
        self._hear(numbers, told, trouble)

    def _look(self, numbers: list[int]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for start in range(0, len(numbers), PAGE):
            some = numbers[start : start + PAGE]
            reply = self._calls.ask("GET", "/actions", params={"id": some, "per_page": PAGE})
            actions = reply.get("actions")
            if not isinstance(actions, list):
                raise odd_reply("actions")
            told += actions
        return told

    def _hear(self, numbers: list[int], told: list[dict[str, Any]], trouble: CloudError | None) -> None:
        now = self._clock()
        stretch = self._calls.pace.stretch
        self._refused = trouble
        self._refusals += trouble is not None
        by_number = {_number(action): action for action in told}
        for number in numbers:
            one = self._awaited.get(number)
            if one is None:
                continue
            action = by_number.get(number)
            if action is not None and action.get("status") != "running":
                one.last = action
                self._learn(one.command, action, now - one.begun)
                continue
            one.due = now + stretch * max(self._interval(one, now), trouble.retry_after if trouble else 0.0)

    def _interval(self, one: _Awaited, now: float) -> float:
        passed = now - one.begun
        return max(one.usual - passed, self._patience.least, self._patience.growth * passed)

    def _usually(self, command: str) -> float:
        return self._seen.get(command, self._patience.usual.get(command, 0.0))

    def _learn(self, command: str, action: Mapping[str, Any], seen: float) -> None:
        took = min(_took(action) or seen, seen)
        before = self._seen.get(command)
        self._seen[command] = took if before is None else (before + took) / 2

    def _names(self, mine: set[int]) -> str:
        return ", ".join(sorted({self._awaited[number].command for number in mine if number in self._awaited}))


def _number(action: Mapping[str, Any]) -> int:
    number = action.get("id")
    if not isinstance(number, int) or not isinstance(action.get("status"), str):
        raise odd_reply("proper action")
    return number


def _took(action: Mapping[str, Any]) -> float:
    """Seconds by the cloud's own clock; 0 where it does not say."""
    try:
        begun, ended = (datetime.fromisoformat(str(action[key])) for key in ("started", "finished"))
        return max((ended - begun).total_seconds(), 0.0)
    except (KeyError, ValueError, TypeError):
        return 0.0


def _again(error: CloudError) -> CloudError:
    """A fresh one: several threads may raise it at once."""
    return CloudError(
        error.code,
        error.message,
        error.remedy,
        kind=error.kind,
        retry_after=error.retry_after,
        vendor_code=error.vendor_code,
    )
