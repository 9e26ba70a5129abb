"""Takes the control plane's own backups by itself, one at a time: every hour, and soon after anything was decided.

An operation that has ended may have made what only the control plane can open: a tenant's secrets, its authority, the
keys of its hosts. Until the next backup they would be lost with its disk, so that one comes a minute later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from frostbyte.control_plane.backup.control import Taken
from frostbyte.control_plane.registry.changes import ITSELF
from frostbyte.control_plane.registry.ports import RegistryFactory
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, FrostbyteError

ACTOR: Final = "schedule"
EVERY: Final = timedelta(hours=1)
AFTER: Final = timedelta(minutes=1)
"""After an operation has ended, and between two tries of a backup that failed at first."""
LOOK_SECONDS: Final = 15.0
_LONGEST: Final = timedelta(minutes=30)
_NEWEST: Final = 100
"""Operations that are looked at: of those that ended lately the oldest began not long ago, or the hour takes it."""
_log = structlog.get_logger("frostbyte.backup")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the control plane's own backups stand.

    Attributes:
        on: whether there is a place for them.
        good_at: the moment whose state the last good one holds; None before the first since the start.
        failed: how many have failed since.
        code: of the last failure; '' for none.
    """

    on: bool
    good_at: datetime | None = None
    snapshot: str = ""
    failed: int = 0
    code: str = ""


class Keeper:
    """See the module.

    Args:
        take: takes one; None where no place was named.
    """

    def __init__(self, unit_of_work: RegistryFactory, clock: Clock, take: Callable[[], Taken] | None) -> None:
        self._unit_of_work, self._clock, self._take = unit_of_work, clock, take
        self._one = threading.Lock()
        self._began: datetime | None = None
        self.standing = Standing(on=take is not None)

    def take(self, actor: str = ACTOR) -> Taken:
        """Take one now, and tell the audit what came of it.

        Args:
            actor: who wants it.

        Raises:
            Conflict: `backup_running`, `backup_not_set`; and what taking one raises.
        """
        if self._take is None:
            raise Conflict(
                "backup_not_set",
                "No place for backups was named.",
                "Set FROSTBYTE_BACKUP_URL to https://host/bucket/folder, or to file:///folder on another disk.",
            )
        if not self._one.acquire(blocking=False):
            raise Conflict("backup_running", "A backup is being taken just now.", "Wait until it has ended.")
        began = self._began = self._clock.now()
        try:
            taken = self._take()
            code = taken.verdict.code
            self._tell(actor, code, {"bytes": taken.written, "size": taken.size})
        except FrostbyteError as error:
            self._failed(error.code)
            self._tell(actor, error.code, {})
            raise
        finally:
            self._one.release()
        if code:
            self._failed(code)
        else:
            self.standing = Standing(on=True, good_at=began, snapshot=taken.snapshot)
        return taken

    def _tell(self, actor: str, code: str, more: Mapping[str, object]) -> None:
        details = {"component": "backup", "status": "failed" if code else "succeeded", **more}
        with self._unit_of_work() as uow:
            told = details | ({"code": code} if code else {})
            uow.audit.append(make_event(ITSELF, EventType.BACKUP_TAKEN, self._clock, actor, "backup", ITSELF, told))
            uow.commit()

    def run(self, stop: threading.Event) -> None:
        """Take them until the event is set."""
        while not stop.wait(LOOK_SECONDS):
            try:
                if self.due():
                    self.take()
            except FrostbyteError as error:  # told by its age, and tried again
                _log.warning("backup_failed", code=error.code)

    def due(self) -> bool:
        """Whether one is to be taken now. Raises Unavailable("database_unavailable")."""
        now, began, standing = self._clock.now(), self._began, self.standing
        if not standing.on:
            return False
        if began is None:
            return True
        if standing.failed:
            return bool(now - began >= min(AFTER * 2 ** min(standing.failed - 1, 10), _LONGEST))
        passed: timedelta = now - began
        return passed >= EVERY or (passed >= AFTER and self._ended_since(began))

    def _ended_since(self, moment: datetime) -> bool:
        with self._unit_of_work() as uow:
            newest = uow.operations.page(limit=_NEWEST)
        return any(row.ended_at is not None and row.ended_at > moment for row in newest)

    def _failed(self, code: str) -> None:
        before = self.standing
        self.standing = Standing(
            on=True, good_at=before.good_at, snapshot=before.snapshot, failed=before.failed + 1, code=code
        )
