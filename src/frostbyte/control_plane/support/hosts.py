"""A tenant's hosts as support needs them: each is asked how it is and what its services' logs may tell.

All are asked at once, each with bounds. One that does not answer is told by the code of its error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from frostbyte.control_plane.provisioning.doing.hosts import Way
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.notes import outcome_of
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.ports import HostAddress, ProvisioningFactory
from frostbyte.control_plane.provisioning.regiving import Standing
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.support.rows import Section, row
from frostbyte.control_plane.support.shapes import host_rows, log_lines, services
from frostbyte.kernel.errors import FrostbyteError

AT_ONCE: Final = 8
LOOK_SECONDS: Final = 90.0
LOG_SECONDS: Final = 90.0
LINES_EACH: Final = 2000
"""The newest of each service."""
_OURS: Final = ("api", "worker")
"""Images that hold the command which judges logs; every host of a tenant runs one of them."""


class Looking:
    """Asks hosts.

    Args:
        unit_of_work: of registry and journal.
        world: what is acted on in a project. Raises FrostbyteError where that cannot be opened.
    """

    def __init__(self, unit_of_work: ProvisioningFactory, world: Callable[[str], World]) -> None:
        self._unit_of_work, self._world = unit_of_work, world

    def ways(self, owner: Owner) -> list[HostAddress]:
        """The hosts of a tenant that have settled, in the order of the plan, each with the way to it.

        Raises:
            Conflict: `base_incomplete`: the way leads through what the project's base has not made.
        """
        with self._unit_of_work() as uow:
            entries = [entry for entry in uow.journal.entries(owner) if entry.state is EntryState.DONE]
        done = {entry.key: outcome_of(entry) for entry in entries}
        way = Way(Told(self._unit_of_work))
        return [
            way.to(step_of(entry), Standing(owner, entry.run_id, done, threading.Event()))
            for entry in entries
            if entry.action == Action.FILES
        ]

    def sections(self, owner: Owner) -> list[Section]:
        """One section a host and one a service's log, in the order of the plan."""
        with self._unit_of_work() as uow:
            entries = [entry for entry in uow.journal.entries(owner) if entry.state is not EntryState.GONE]
        hosts = [entry for entry in entries if entry.action == Action.FILES]
        if not hosts:
            return [Section(title="Hosts", lines=(row("none", "of", "ours"),))]
        try:
            asking = _Asking(self._world(owner.project_id), owner, entries)
        except FrostbyteError as error:
            return [Section(title="Hosts", lines=(row("not", "asked", error.code),))]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="support") as threads:
            return [section for found in threads.map(asking.host, hosts) for section in found]


class _Asking:
    """The hosts of one tenant, as its journal has them."""

    def __init__(self, world: World, owner: Owner, entries: list[EntryRow]) -> None:
        self._world, self._owner = world, owner
        self._done = {entry.key: outcome_of(entry) for entry in entries if entry.state is EntryState.DONE}

    def host(self, entry: EntryRow) -> list[Section]:
        name = str(entry.spec["host"])
        try:
            context = Standing(self._owner, entry.run_id, self._done, threading.Event())
            host = Way(Told(self._world.unit_of_work)).to(step_of(entry), context)
            project = self._world.renderer.project(HostRole(entry.spec["role"]))
            answer = self._world.hosts.look(host, project.folder, seconds=LOOK_SECONDS)
            image = self._image(entry)
        except FrostbyteError as error:
            return [Section(title=f"Host {name}", lines=(row("not", "asked", error.code),))]
        return [
            Section(title=f"Host {name}", lines=tuple(host_rows(answer))),
            *(self._log(host, name, service, image) for service in services(answer)),
        ]

    def _log(self, host: HostAddress, name: str, service: str, image: str) -> Section:
        title = f"Log of {service} on {name}, the newest {LINES_EACH} lines"
        try:
            said = self._world.hosts.log(host, service, image, lines=LINES_EACH, seconds=LOG_SECONDS)
        except FrostbyteError as error:
            return Section(title=title, lines=(row("not", "asked", error.code),))
        return Section(title=title, lines=tuple(log_lines(said.splitlines())) or (row("nothing"),))

    def _image(self, entry: EntryRow) -> str:
        images = self._world.releases(str(entry.spec["release"])).images
        here = self._world.renderer.images(HostRole(entry.spec["role"]))
        return next((images[name] for name in _OURS if name in here and name in images), "")
