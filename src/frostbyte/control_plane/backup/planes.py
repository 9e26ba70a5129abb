"""A tenant's plane as its backups handle it: the task beside the gateway, and all hosts stopped, emptied and started.

Everything may be done again: the task finds what an earlier one has left, and what is stopped or started stays so.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.provisioning.doing.hosts import (
    ERASE_SECONDS,
    STORES_SECONDS,
    TASK_SECONDS,
    Way,
)
from frostbyte.control_plane.provisioning.doing.table import World, doings
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.regiving import Standing, moving
from frostbyte.control_plane.provisioning.resources import HostRole, Kind, Owner
from frostbyte.control_plane.provisioning.steps import Action, Step
from frostbyte.control_plane.registry.records import EndpointsRow
from frostbyte.control_plane.upkeep.duty import Stopped
from frostbyte.control_plane.upkeep.plane_hosts import PlaneHosts
from frostbyte.kernel.errors import Conflict, Unavailable
from frostbyte.kernel.records import Upkeep

LONGEST_SECONDS: Final = 12 * 3600.0
"""For a backup or a restore: a terabyte at 25 MB/s."""
CLOSE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.2
"""Between two looks while requests that write are ended."""


class KeptPlane:
    """See the module.

    Args:
        world: what is acted on.
        channels: the way to a plane.
        stop: set when the process ends.

    Raises (all methods):
        Conflict: `tenant_moves`; `plane_answer_wrong`: the task did not say what it should.
        FrostbyteError: what steps and hosts raise.
    """

    def __init__(
        self, world: World, owner: Owner, channels: Callable[[EndpointsRow], PlaneChannel], stop: threading.Event
    ) -> None:
        self._world, self._owner, self._channels, self._stop = world, owner, channels, stop
        with world.unit_of_work() as uow:
            self._entries = [row for row in uow.journal.entries(owner) if row.state is EntryState.DONE]
        if not self._of(Action.FILES):
            raise moving()
        self._hosts = PlaneHosts(world, owner, stop)
        self._way = Way(Told(world.unit_of_work))
        self._context = Standing(
            owner, self._entries[0].run_id, {row.key: outcome_of(row) for row in self._entries}, stop
        )

    @property
    def locations(self) -> frozenset[str]:
        """Where its hosts are."""
        return frozenset(
            str(row.facts["location"]) for row in self._entries if row.kind == Kind.SERVER and row.facts.get("location")
        )

    def take(self, *, forget: bool = True) -> dict[str, Any]:
        """Store what is new, try it, and forget old ones: what `frostbyte plane backup take` says.

        Args:
            forget: whether old ones are forgotten. Of one day the newest stays, which is not the one that is wanted
                when the plane is put back as it was this morning.
        """
        return self._asked("take", "--actor", "control", *(() if forget else ("--no-prune",)))

    def verify(self, snapshot: str) -> dict[str, Any]:
        """Try one, or the newest good one with ''."""
        return self._asked("verify", *([snapshot] if snapshot else []))

    def restore(self, snapshot: str) -> dict[str, Any]:
        """Put one back into stores that are empty."""
        return self._asked("restore", snapshot, "--actor", "control")

    def close(self) -> None:
        """Have it take nothing new, and wait for what is being taken. Raises as `quiet`."""
        quiet(self._channel(), self._stop)

    def open(self) -> None:
        """Have it take everything again, also where the backup that it was made of was taken while it was closed."""
        self._channel().keep(Upkeep.OPEN)

    def stop(self) -> None:
        """End the plane's own processes on all hosts; stores run on."""
        self._hosts.stop()

    def empty(self) -> None:
        """Empty the stores, and make the tenant's parts of them anew."""
        for row in self._of(Action.STORAGE):
            host, project = self._to(step_of(row)), self._project(row)
            self._world.hosts.up(host, project.folder, project.stores, seconds=STORES_SECONDS)
            said = self._world.hosts.task(host, project.folder, project.erasing, seconds=ERASE_SECONDS)
            if "checked_empty" not in said:
                raise Conflict(
                    "stores_not_erased",
                    "The host did not say that the tenant's stores are empty.",
                    "Look at the stores on that host; then begin again.",
                )
            for task in project.tasks:
                self._world.hosts.task(host, project.folder, task, seconds=TASK_SECONDS)

    def start(self) -> None:
        """Start everything as it was: stores, the gateway, which brings the schema up to date, then workers."""
        self._hosts.start(str(self._of(Action.DEPLOY)[0].spec["release"]))

    def register(self) -> None:
        """Have the register know the plane's log anew: a plane that was restored has another one."""
        doing = doings(self._world)[Action.ENDPOINTS]
        for row in self._of(Action.ENDPOINTS):
            doing.do(step_of(row), self._context)

    def _channel(self) -> PlaneChannel:
        with self._world.unit_of_work() as uow:
            row = uow.endpoints.get(self._owner.tenant_id)
        if row is None:
            raise moving()
        return self._channels(row)

    def _asked(self, *words: str) -> dict[str, Any]:
        for row in self._of(Action.FILES):
            project = self._project(row)
            if project.backing:
                command = ("plane", "backup", *words, "--json")
                return _read(self._task(self._to(step_of(row)), project, command))
        raise moving()

    def _task(self, host: HostAddress, project: Project, words: Sequence[str]) -> str:
        return self._world.hosts.task(host, project.folder, project.backing, words, seconds=LONGEST_SECONDS)

    def _of(self, action: Action) -> list[EntryRow]:
        """In the order of the plan: the gateway before the workers."""
        found = [row for row in self._entries if row.action == action]
        return sorted(found, key=lambda row: (row.spec.get("role") == HostRole.WORKER, row.position))

    def _to(self, step: Step) -> HostAddress:
        return self._way.to(step, self._context)

    def _project(self, row: EntryRow) -> Project:
        return self._world.renderer.project(HostRole(row.spec["role"]))


def quiet(channel: PlaneChannel, stop: threading.Event) -> None:
    """Have a plane take nothing new, and wait for what is being taken: a backup from now on has every receipt.

    Raises:
        Unavailable: `plane_busy`: something is still being taken after a minute.
        Stopped: the process ends.
    """
    ends = time.monotonic() + CLOSE_SECONDS
    state = channel.keep(Upkeep.READING)
    while state.writing:
        if time.monotonic() >= ends:
            raise Unavailable(
                "plane_busy",
                f"After {CLOSE_SECONDS:.0f} s {state.writing} requests are still under way.",
                "Begin again when less is sent.",
            )
        if stop.wait(LOOK_SECONDS):
            raise Stopped
        state = channel.upkeep()


def _read(said: str) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Conflict(
            "plane_answer_wrong",
            "The host did not say what came of the backup.",
            "Run `frostbyte plane backup list` there (docs/backups.md); then begin again.",
        )
    return found
