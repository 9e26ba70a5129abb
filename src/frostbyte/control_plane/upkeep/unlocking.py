"""Opens volumes that a boot has locked, so that a rebooted host comes back without a person.

Looks at every host with an encrypted volume of a tenant that stands, again and again: one short question over SSH. A
locked volume is opened with its key, and what runs on its host is started. A host that does not answer is asked again
at the next look: it may be booting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from frostbyte.control_plane.provisioning.doing.hosts import START_SECONDS
from frostbyte.control_plane.provisioning.doing.volumes import LOCKED, MOUNTED, OPEN_SECONDS, key_of, state
from frostbyte.control_plane.provisioning.hosting import VOLUME_PROGRAM
from frostbyte.control_plane.provisioning.journal import EntryRow
from frostbyte.control_plane.provisioning.ports import Hosts, ProvisioningFactory, Renderer, Vault
from frostbyte.control_plane.provisioning.reaching import Reaching
from frostbyte.control_plane.provisioning.resources import HostRole, Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.records import DUTIES
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

LOOK_SECONDS: Final = 30.0
AT_ONCE: Final = 8
"""Hosts that are asked at the same time."""
_log = structlog.get_logger("frostbyte.upkeep")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How hosts of one project are reached.

    Attributes:
        renderer: knows what runs where.
    """

    hosts: Hosts
    vault: Vault
    renderer: Renderer


class Unlocking:
    """See the module.

    Args:
        unit_of_work: of registry and journal.
        standing: tenants with hosts of ours for which nothing is being made or taken away.
        reach: how a project's hosts are reached. Raises FrostbyteError where it cannot be worked in.
    """

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        standing: Callable[[], list[Owner]],
        reach: Callable[[Owner], Reach],
    ) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._standing, self._reach = standing, reach
        self._reaching = Reaching(unit_of_work)
        self._unfinished: set[tuple[str, str]] = set()
        """Hosts whose volume is open and whose services were not seen to run yet. Of one that is forgotten with this
        process the engine starts them by itself."""

    def run(self, stop: threading.Event) -> None:
        """Look again and again, until the event is set."""
        while not stop.wait(LOOK_SECONDS):
            self.turn(stop)

    def turn(self, stop: threading.Event) -> list[str]:
        """One look at all; the hosts whose volumes were opened, by tenant and part: `acme/db`."""
        due = [(owner, row) for owner in self._standing() for row in self._volumes(owner)]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="volumes") as pool:
            opened = list(pool.map(lambda each: self._looked(each[0], each[1], stop), due))
        return [f"{owner.tenant_id}/{row.spec['host']}" for (owner, row), was in zip(due, opened, strict=True) if was]

    def _looked(self, owner: Owner, row: EntryRow, stop: threading.Event) -> bool:
        if stop.is_set():
            return False
        try:
            return self.look(owner, row, stop)
        except FrostbyteError as error:
            _log.warning("volume_waits", tenant=owner.tenant_id, host=row.spec["host"], code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - a defect with one host keeps no other one locked
            _log.error("volume_broke", tenant=owner.tenant_id, error=type(error).__name__)
            return False

    def look(self, owner: Owner, row: EntryRow, stop: threading.Event) -> bool:
        """Open the volume of one host if it is locked; whether it was.

        Args:
            row: the journal's entry of the step that opened it first.

        Raises:
            FrostbyteError: as `Hosts`; Conflict("volume_key_missing").
        """
        reach, host = self._reach(owner), self._reaching.way(owner, row, stop)
        found, which = state(reach.hosts, host), (owner.tenant_id, str(row.spec["host"]))
        if found == LOCKED:
            key = key_of(reach.vault, owner)
            self._tell(owner, row)  # before: no key leaves that the audit does not know of
            reach.hosts.ask(host, [VOLUME_PROGRAM, "open"], given=key, seconds=OPEN_SECONDS)
            self._unfinished.add(which)
        elif found != MOUNTED:
            _log.warning("volume_not_mounted", tenant=owner.tenant_id, host=row.spec["host"], state=found)
            return False
        elif which not in self._unfinished:
            return False
        if self._busy(owner):
            return found == LOCKED  # whoever works on the tenant knows what is to run meanwhile
        project = reach.renderer.project(HostRole(row.spec["role"]))
        reach.hosts.up(host, project.folder, project.services, seconds=START_SECONDS)
        self._unfinished.discard(which)
        _log.info("volume_opened", tenant=owner.tenant_id, host=row.spec["host"])
        return True

    def _busy(self, owner: Owner) -> bool:
        """Whether a duty is under way."""
        with self._unit_of_work() as uow:
            return any(row.kind in DUTIES for row in uow.operations.running(owner.tenant_id))

    def _volumes(self, owner: Owner) -> list[EntryRow]:
        try:
            return self._reaching.done(owner, Action.UNLOCK)
        except FrostbyteError as error:
            _log.warning("volume_waits", tenant=owner.tenant_id, code=error.code)
            return []

    def _tell(self, owner: Owner, row: EntryRow) -> None:
        details = {"component": "upkeep", "cloud_id": row.facts["volume"], "reason": "boot"}
        event = make_event(owner.tenant_id, EventType.VOLUME_OPENED, self._clock, ITSELF, "volume", "volume", details)
        with self._unit_of_work() as uow:
            uow.audit.append(event)
            uow.commit()
