"""How work goes on in the world: actions that take their time, what follows them, and what happens by itself.

Nothing runs by itself: whoever looks at the world brings it up to date first (`settle`), in the order in which things
became due. Only a driver's work runs in threads; its action ends once both are over.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import structlog

from frostbyte.adapters.hetzner.world.clock import WorldClock
from frostbyte.adapters.hetzner.world.records import Action, Event, Project, Ref
from frostbyte.adapters.hetzner.world.refusals import locked

Effect: TypeAlias = Callable[[Project, Mapping[str, Any], datetime], None]
Drive: TypeAlias = Callable[[Project, Action], Callable[[], None] | None]
_KEPT: Final = 20_000
"""Finished actions of a project; older ones are forgotten."""
_THREADS: Final = 16
_log = structlog.get_logger("frostbyte.hetzner.world")


class Engine:
    """Work that is going on.

    Args:
        effects: what happens when an action ends well or an event is due, by name.
        begins: what is seen when an action begins, by the same name.
        fails: what happens instead when it ends with an error, by the same name.
        drive: the driver's part of an action, to be run in a thread; None for nothing.
    """

    def __init__(
        self,
        clock: WorldClock,
        effects: Mapping[str, Effect],
        begins: Mapping[str, Effect],
        fails: Mapping[str, Effect],
        drive: Drive,
    ) -> None:
        self._clock = clock
        self._effects, self._begins, self._fails, self._drive = effects, begins, fails, drive
        self._order = itertools.count()
        self._due: list[tuple[datetime, int, Project, Action | Event]] = []
        self._followers: dict[int, list[tuple[Project, Action]]] = defaultdict(list)
        self._driven: dict[int, Future[None]] = {}
        self._overdue: list[tuple[Project, Action]] = []
        self._busy: Counter[Ref] = Counter()
        self._pool: ThreadPoolExecutor | None = None

    def free(self, *refs: Ref) -> None:
        """Raises Refused: `locked` where an action runs on one of them."""
        for ref in refs:
            if self._busy[ref]:
                raise locked(ref[0])

    def busy(self, ref: Ref) -> bool:
        """Whether an action runs on it."""
        return self._busy[ref] > 0

    def begin(self, project: Project, action: Action) -> None:
        """Let an action begin now, or after the one that it waits for."""
        project.actions[action.id] = action
        if len(project.actions) > _KEPT:
            self._forget(project)
        self._busy.update(action.locks)
        before = project.actions.get(action.after) if action.after is not None else None
        if before is None or before.status != "running":
            self._start(project, action, self._clock.now())
        else:
            self._followers[before.id].append((project, action))

    def later(self, project: Project, event: Event) -> None:
        """Let something happen by itself."""
        project.events.append(event)
        heapq.heappush(self._due, (event.due, next(self._order), project, event))

    def restore(self, projects: Iterable[Project]) -> None:
        """Go on with what was going on when a world was written down."""
        for project in projects:
            for event in project.events:
                heapq.heappush(self._due, (event.due, next(self._order), project, event))
            for action in project.actions.values():
                if action.status != "running":
                    continue
                self._busy.update(action.locks)
                if action.due is None and action.after is not None:
                    self._followers[action.after].append((project, action))
                else:
                    self._run(project, action)

    def settle(self) -> None:
        """Bring the world up to date."""
        now = self._clock.now()
        overdue, self._overdue = self._overdue, []
        for project, action in overdue:
            self._end(project, action, now)
        while self._due and self._due[0][0] <= now:
            due, _, project, item = heapq.heappop(self._due)
            if isinstance(item, Event):
                project.events.remove(item)
                self._effects[item.effect](project, item.arguments, due)
            else:
                self._end(project, item, due)

    def close(self) -> None:
        """Wait for the driver."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _start(self, project: Project, action: Action, at: datetime) -> None:
        action.due = at + timedelta(seconds=action.seconds)
        if action.effect in self._begins:
            self._begins[action.effect](project, action.arguments, at)
        self._run(project, action)

    def _run(self, project: Project, action: Action) -> None:
        assert action.due is not None
        heapq.heappush(self._due, (action.due, next(self._order), project, action))
        work = self._drive(project, action) if action.drives and not action.fails else None
        if work is not None:
            self._pool = self._pool or ThreadPoolExecutor(_THREADS, thread_name_prefix="hetzner-driver")
            self._driven[action.id] = self._pool.submit(work)

    def _end(self, project: Project, action: Action, at: datetime) -> None:
        work = self._driven.get(action.id)
        if work is not None:
            if not work.done():
                self._overdue.append((project, action))
                return
            del self._driven[action.id]
            if (error := work.exception()) is not None:
                _log.warning("driver_failed", action=action.command, error=type(error).__name__)
                action.fails = "action_failed"
        action.finished = at
        action.error = action.fails
        action.status = "error" if action.fails else "success"
        self._busy.subtract(action.locks)
        effects = self._fails if action.fails else self._effects
        if action.effect in effects:
            effects[action.effect](project, action.arguments, at)
        for other, follower in self._followers.pop(action.id, ()):
            if action.fails:
                follower.fails, follower.seconds = "action_failed", 0.0
            self._start(other, follower, at)

    @staticmethod
    def _forget(project: Project) -> None:
        over = [action.id for action in project.actions.values() if action.status != "running"]
        for which in over[: _KEPT // 2]:
            del project.actions[which]
