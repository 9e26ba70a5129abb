"""What is done on hosts over SSH: they settle, get their files, start their stores and their containers.

A host that is taken away is only asked to end its containers well, so that what it wrote is on its volume. One that
does not answer is not waited for: its server is deleted after this, and with it everything that it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from frostbyte.control_plane.provisioning.doing.giving import Giving, surroundings
from frostbyte.control_plane.provisioning.doing.images import Images
from frostbyte.control_plane.provisioning.doing.told import Told
from frostbyte.control_plane.provisioning.hosting import Project
from frostbyte.control_plane.provisioning.ports import HostAddress, HostFile, Hosts, Renderer
from frostbyte.control_plane.provisioning.receipts import Erasing
from frostbyte.control_plane.provisioning.resources import HostRole
from frostbyte.control_plane.provisioning.steps import Context, Outcome, Step
from frostbyte.kernel.errors import FrostbyteError

BOOT_SECONDS: Final = 300.0
"""For a first boot with cloud-init, at one attempt; a slow host is asked again (retry.AGAIN), a quarter of an hour and
more in all. Together what a step asks of a host stays below `lease.LONGEST_CALL_SECONDS`."""
VISIT_SECONDS: Final = 30.0
STORES_SECONDS: Final = 240.0
TASK_SECONDS: Final = 100.0
REREAD_SECONDS: Final = 120.0
ERASE_SECONDS: Final = 3600.0
"""For a bucket with a million objects, deleted a thousand at a time."""
START_SECONDS: Final = 500.0
"""For containers until all are healthy; clamd alone reads its signatures for minutes."""
STOP_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 200.0
"""For all containers of a host to end: a worker alone may take three minutes."""
DRAIN_SECONDS: Final = 560.0
"""For a worker to end the stage that it is in, below `lease.LONGEST_CALL_SECONDS`. Few stages take longer."""
_DOORS: Final = ("gateway", "single")
"""Hosts that others of the tenant are reached through."""
_GONE: Final = frozenset({"host_unreachable", "host_slow", "host_key_wrong", "host_refused", "base_incomplete"})
"""Why a host cannot be asked for anything any more."""
_AWAY: Final = _GONE | {"host_command_failed"}
"""Why a host that is taken away need not end its containers well."""


class Way:
    """The way to a host: through which others, each at its address and with its pinned key."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def to(self, step: Step, context: Context, *, host_key: str = "") -> HostAddress:
        """The host of a step.

        Args:
            host_key: to pin; '' for the one that it settled with.
        """
        spec = step.spec
        via = tuple(self._settled(name, context) for name in spec["via"])
        if not host_key:
            settled = self._settled(spec["host"], context)
            return HostAddress(name=settled.name, address=settled.address, host_key=settled.host_key, via=via)
        address = spec["address"] or self._told.outcome(spec["server"], context).facts["address"]
        return HostAddress(name=context.owner.name(spec["host"]), address=address, host_key=host_key, via=via)

    def settled(self, host: str, via: Sequence[str], context: Context) -> HostAddress:
        """A host by its name, with the way to it."""
        found = self._settled(host, context)
        through = tuple(self._settled(name, context) for name in via)
        return HostAddress(name=found.name, address=found.address, host_key=found.host_key, via=through)

    def _settled(self, host: str, context: Context) -> HostAddress:
        facts = self._told.outcome(f"settle.{host}", context).facts
        return HostAddress(name=facts["name"], address=facts["address"], host_key=facts["host_key"])


class OnHost:
    """What steps on a host share: they leave nothing that could be found or deleted by itself."""

    def __init__(self, hosts: Hosts, told: Told) -> None:
        self._hosts = hosts
        self._way = Way(told)

    def find(self, step: Step, context: Context) -> Outcome | None:
        return None

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        return

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        return


class Settle(OnHost):
    """A host has booted, is configured and shows its own key. Verified by another visit that takes no other key."""

    def __init__(self, hosts: Hosts, told: Told) -> None:
        super().__init__(hosts, told)
        self._told = told

    def do(self, step: Step, context: Context) -> Outcome:
        first = self._told.outcome(step.spec["server"], context).facts["first_key"]
        host = self._way.to(step, context, host_key=first)
        own = self._hosts.settle(host, seconds=BOOT_SECONDS)
        return Outcome(facts={"name": host.name, "address": host.address, "host_key": own})

    def verify(self, step: Step, outcome: Outcome, context: Context) -> None:
        # Nothing but a visit: a builder has no engine yet.
        self._hosts.run(self._way.to(step, context, host_key=outcome.facts["host_key"]), ":\n", seconds=VISIT_SECONDS)


class Files(OnHost):
    """A tenant's host is given what it needs: compose project, secrets, certificates, its rules anew.

    The writing itself is verified where it happens (`Hosts.put`); that the files are right is seen when the containers
    that read them are well. Given again, what runs goes on: most services look at their files by themselves, the others
    are told.
    """

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer, giving: Giving) -> None:
        super().__init__(hosts, told)
        self._told, self._renderer, self._giving = told, renderer, giving

    def do(self, step: Step, context: Context) -> Outcome:
        files = self._giving.files(step, context, surroundings(step, context, self._told, self._giving.kept))
        self._hosts.put(self._way.to(step, context), files)
        return Outcome(facts={"files": len(files)})

    def again(self, step: Step, context: Context) -> None:
        """See steps.Again. A container sees its secrets' files themselves, not their names: they are written over."""
        files = self._giving.files(step, context, surroundings(step, context, self._told, self._giving.kept))
        host, project = self._way.to(step, context), self._renderer.project(HostRole(step.spec["role"]))
        self._hosts.put(host, [_beside(file, project.folder) for file in files])
        self._hosts.run(host, reread(project), seconds=REREAD_SECONDS)


class Storage(OnHost):
    """The stores run, the tenant's parts of them are made, and nobody crosses between them: the tasks see to both.

    Where somebody said to destroy the tenant's data, each store is emptied and seen to be empty before its host goes.
    """

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer, erasing: Erasing) -> None:
        super().__init__(hosts, told)
        self._renderer, self._erasing = renderer, erasing

    def do(self, step: Step, context: Context) -> Outcome:
        project = self._renderer.project(HostRole(step.spec["role"]))
        host = self._way.to(step, context)
        self._hosts.up(host, project.folder, project.stores, seconds=STORES_SECONDS)
        for task in project.tasks:
            self._hosts.task(host, project.folder, task, seconds=TASK_SECONDS)
        return Outcome(facts={"stores": list(project.stores), "tasks": list(project.tasks)})

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        project = self._renderer.project(HostRole(step.spec["role"]))
        if outcome is None or not project.erasing or not self._erasing.wanted(context.run_id):
            return
        try:
            host = self._way.to(step, context)
            self._hosts.up(host, project.folder, project.stores, seconds=STORES_SECONDS)
            said = self._hosts.task(host, project.folder, project.erasing, seconds=ERASE_SECONDS)
        except FrostbyteError as error:
            if error.code not in _GONE:
                raise
            return  # its volume is deleted after this all the same; the receipt names no store then
        self._erasing.erased(context.owner, context.run_id, said)


class Deploy(OnHost):
    """What a host runs is up and well: each container has passed its own health check when this returns.

    Images are there before anything is started: a host fetches none, so what it lacks is brought. Taken away,
    containers end as they wish.
    """

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer, images: Images) -> None:
        super().__init__(hosts, told)
        self._renderer, self._images = renderer, images

    def do(self, step: Step, context: Context) -> Outcome:
        role = HostRole(step.spec["role"])
        project = self._renderer.project(role)
        host = self._way.to(step, context)
        self._images.bring(host, step.spec["release"], role)
        self._hosts.up(host, project.folder, project.services, seconds=START_SECONDS)
        return Outcome(facts={"services": list(project.services), "release": step.spec["release"]})

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        project = self._renderer.project(HostRole(step.spec["role"]))
        try:
            host = self._way.to(step, context)
            self._hosts.down(host, project.folder, volumes=False, seconds=STOP_SECONDS)
        except FrostbyteError as error:
            if error.code not in _AWAY:
                raise


class Quieting:
    """Ends what runs on a server before that is switched off: see servers.Quiet."""

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer) -> None:
        self._hosts, self._renderer, self._way = hosts, renderer, Way(told)

    def __call__(self, step: Step, context: Context) -> None:
        name, peers = step.spec["host"], step.spec["peers"]
        via = ("bastion",) if step.spec["public"] else ("bastion", *(one for one in _DOORS if one in peers))
        try:
            host = self._way.settled(name, via, context)
        except FrostbyteError as error:
            if error.code != "base_incomplete":
                raise
            return  # it never settled: nothing of ours runs there
        folder = self._renderer.project(HostRole(step.spec["role"])).folder
        self._hosts.stop(host, folder, seconds=QUIET_SECONDS)


class Drain(OnHost):
    """A host that leaves has ended what it worked on, and what lies on it alone lies on its heir.

    A worker that does not answer is not waited for: its jobs' leases run out, and others do them. A stage that takes
    longer than the time it is given is ended, and done again elsewhere as well.
    """

    def __init__(self, hosts: Hosts, told: Told, renderer: Renderer) -> None:
        super().__init__(hosts, told)
        self._renderer = renderer

    def do(self, step: Step, context: Context) -> Outcome:
        heir = step.spec["heir"]
        project = self._renderer.project(HostRole(step.spec["role"]))
        try:
            host = self._way.to(step, context)
            self._hosts.stop(host, project.folder, () if heir else project.working, seconds=DRAIN_SECONDS)
        except FrostbyteError as error:
            if heir or error.code not in _GONE:
                raise
            return Outcome(facts={"drained": False})
        carried = self._carried(host, project, self._way.settled(heir, ("bastion",), context)) if heir else 0
        return Outcome(facts={"drained": True, "carried": carried})

    def _carried(self, host: HostAddress, project: Project, heir: HostAddress) -> int:
        """What signs is given on while nobody signs: how many files."""
        target = self._renderer.project(HostRole.GATEWAY).signing
        found = self._hosts.read(host, project.signing)
        self._hosts.put(
            heir, [replace(file, path=f"{target}{file.path.removeprefix(project.signing)}") for file in found]
        )
        return len(found)

    def undo(self, step: Step, outcome: Outcome | None, context: Context) -> None:
        """It works on, if it is still there."""
        project = self._renderer.project(HostRole(step.spec["role"]))
        try:
            host = self._way.to(step, context)
            self._hosts.up(host, project.folder, project.services, seconds=START_SECONDS)
        except FrostbyteError as error:
            if error.code not in _AWAY:
                raise


def _beside(file: HostFile, folder: str) -> HostFile:
    """A secret's file in a folder of its own, from where the script takes it; other files where they belong."""
    place = f"{folder}/secrets/"
    name = file.path.removeprefix(place)
    return replace(file, path=f"{folder}/fresh/{name}") if file.path.startswith(place) else file


def reread(project: Project) -> str:
    """The script that has a host's services take the secrets and certificates that lie in `fresh` now."""
    compose = f"docker compose --project-directory {project.folder}"
    lines = [f"{compose} kill --signal HUP {' '.join(project.reread)}"] if project.reread else []
    lines += [f"{compose} restart {name}" for name in project.restart]
    return _OVER.format(folder=project.folder) + "".join(f"{line}\n" for line in lines)


_OVER: Final = """\
set -eu
for file in {folder}/fresh/*; do
    old={folder}/secrets/${{file##*/}}
    if [ ! -e "$old" ]; then cp -p "$file" "$old"
    elif ! cmp -s "$file" "$old"; then cat "$file" >"$old"
    fi
done
rm -r {folder}/fresh
"""
"""A file of a few kilobytes is written in one piece; one that a crash cut short differs, and is written again."""
