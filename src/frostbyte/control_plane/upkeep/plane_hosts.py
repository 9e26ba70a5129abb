"""A tenant's hosts as an update handles them: all of them together, by the steps that the journal holds.

Everything may be done again: what is there already changes nothing. Hosts that do not need each other are worked on at
the same time, because a plane stands still meanwhile.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from msgspec.structs import replace as renewed

from frostbyte.control_plane.provisioning.doing.hosts import START_SECONDS, STORES_SECONDS, Way
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.doing.table import World, doings
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import HostAddress
from frostbyte.control_plane.provisioning.regiving import Standing, moving
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action, Step
from frostbyte.kernel.errors import Conflict

T = TypeVar("T")
AT_ONCE: Final = 8
STOP_SECONDS: Final = 200.0
"""For processes of ours until they have ended; a worker may be at a stage of 180 s."""
SIZE_SECONDS: Final = 60.0
VOLUME: Final = "/srv/frostbyte"
"""Where the stores' volume is mounted (deploy.hosts.layout)."""
COPY_SECONDS: Final = 500.0
"""For a copy of the database on its own server, or its way back."""
_RUNS: Final = (Action.FILES, Action.STORAGE, Action.DEPLOY)


class PlaneHosts:
    """See the module.

    Args:
        world: what is acted on.
        owner: whose hosts.
        stop: set when the process ends.

    Raises (all methods):
        Conflict: `tenant_moves`: the tenant has no hosts of ours.
        FrostbyteError: what its steps and hosts raise.
    """

    def __init__(self, world: World, owner: Owner, stop: threading.Event) -> None:
        self._world, self._told = world, Told(world.unit_of_work)
        with world.unit_of_work() as uow:
            self._entries = [row for row in uow.journal.entries(owner) if row.state is EntryState.DONE]
        if not self._of(Action.FILES):
            raise moving()
        self._doings, self._way = doings(world), Way(self._told)
        self._context = Standing(
            owner, self._entries[0].run_id, {row.key: outcome_of(row) for row in self._entries}, stop
        )

    def bring(self, release: str) -> int:
        """See that every host has the images of a version; how many were brought."""
        images = Images(self._world.hosts, self._world.renderer, self._world.releases, self._world.images)

        def one(step: Step) -> int:
            return len(images.bring(self._host(step), release, HostRole(step.spec["role"])))

        return sum(self._each(self._steps(Action.FILES, release), one))

    def give(self, release: str) -> None:
        """Give every host its files as a version has them. What runs there goes on as it is."""
        doing = self._doings[Action.FILES]
        self._each(self._steps(Action.FILES, release), lambda step: doing.do(step, self._context))

    def stop(self) -> None:
        """End the plane's own processes on all hosts; stores run on."""

        def one(step: Step) -> None:
            project = self._project(step)
            self._world.hosts.stop(self._host(step), project.folder, project.services, seconds=STOP_SECONDS)

        self._each(self._steps(Action.DEPLOY, ""), one)

    def stores(self) -> None:
        """Start the stores as their host's files say, and nothing else."""
        (step,) = self._steps(Action.STORAGE, "")
        project = self._project(step)
        self._world.hosts.up(self._host(step), project.folder, project.stores, seconds=STORES_SECONDS)

    def start(self, release: str) -> None:
        """Start everything of a version: stores, then the gateway, which brings the schema up to date, then workers."""
        (storage,) = self._steps(Action.STORAGE, release)
        self._doings[Action.STORAGE].do(storage, self._context)
        deploying = self._steps(Action.DEPLOY, release)
        doors = [step for step in deploying if step.spec["role"] != HostRole.WORKER]
        workers = [step for step in deploying if step.spec["role"] == HostRole.WORKER]
        for group in (doors, workers):
            self._each(group, self._started)

    def copies(self, verb: str, mark: str) -> None:
        """Take, restore or drop the copy of the database that an update is marked by."""
        (step,) = self._steps(Action.STORAGE, "")
        project = self._project(step)
        words = ("plane", "snapshot", verb, self._context.owner.tenant_id, "--mark", mark)
        self._world.hosts.task(self._host(step), project.folder, project.tasks[0], words, seconds=COPY_SECONDS)

    def room(self) -> tuple[int, int]:
        """Bytes that a copy of the database takes, about, and bytes that are free where it would lie."""
        (step,) = self._steps(Action.STORAGE, "")
        project, host, hosts = self._project(step), self._host(step), self._world.hosts
        words = ("plane", "snapshot", "size", self._context.owner.tenant_id, "--json")
        said = hosts.task(host, project.folder, project.tasks[0], words, seconds=SIZE_SECONDS)
        free = hosts.ask(host, ("df", "--block-size=1", "--output=avail", VOLUME), seconds=SIZE_SECONDS)
        try:
            return int(json.loads(said)["bytes"]), int(free.split()[-1])
        except (ValueError, KeyError, TypeError, IndexError):
            raise Conflict(
                "host_answer_wrong",
                f"{host.name} does not say how large the database is, or how much room there is.",
                "Look at the host; then update again.",
            ) from None

    def changed(self, release: str) -> list[EntryRow]:
        """The entries as they are when the hosts run a version; those that say so already are left out."""
        found = []
        for row in self._entries:
            if row.action in _RUNS and row.spec["release"] != release:
                step = replace(step_of(row), spec={**row.spec, "release": release})
                facts = {**row.facts, "release": release} if row.action == Action.DEPLOY else row.facts
                found.append(renewed(row, spec=dict(step.spec), spec_sha256=step.spec_sha256, facts=facts))
        return found

    def _started(self, step: Step) -> None:
        project = self._project(step)
        self._world.hosts.up(self._host(step), project.folder, project.services, seconds=START_SECONDS)

    def _of(self, action: Action) -> list[EntryRow]:
        return [row for row in self._entries if row.action == action]

    def _steps(self, action: Action, release: str) -> list[Step]:
        """Of all hosts, of a version; '' for whichever it is."""
        steps = map(step_of, self._of(action))
        return [replace(step, spec={**step.spec, **({"release": release} if release else {})}) for step in steps]

    def _host(self, step: Step) -> HostAddress:
        return self._way.to(step, self._context)

    def _project(self, step: Step) -> Project:
        return self._world.renderer.project(HostRole(step.spec["role"]))

    @staticmethod
    def _each(steps: Sequence[Step], act: Callable[[Step], T]) -> list[T]:
        """For all at the same time; the first error is raised when all have ended."""
        if len(steps) < 2:
            return [act(step) for step in steps]
        with ThreadPoolExecutor(min(AT_ONCE, len(steps)), thread_name_prefix="hosts") as pool:
            return [future.result() for future in [pool.submit(act, step) for step in steps]]
