"""The two duties: a tenant's plane is backed up, and put back as one of its backups has it.

A backup disturbs nobody. Putting one back begins with a backup of what is there, so that whatever fails on the way ends
with the plane as it was; it is the only way back as well, for stores have to be empty before a plane is put into them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from frostbyte.control_plane.backup.planes import KeptPlane
from frostbyte.control_plane.provisioning.hosting import Keeping
from frostbyte.control_plane.provisioning.ports import ProvisioningUnitOfWork, Vault
from frostbyte.control_plane.provisioning.regiving import Regiving, moving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.provisioning.steps import Action
from frostbyte.control_plane.registry.records import OperationKind, OperationRow, TenantRow
from frostbyte.control_plane.upkeep.duty import Stage, Task
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, Invalid

GIVEN: Final = "backup-given"
"""The name in the vault under which stands what the hosts were told of the place."""
_SNAPSHOT: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")

Planes = Callable[[Owner, threading.Event], KeptPlane]
Kept = Callable[[Owner], Keeping | None]


class Preparing:
    """What both begin with: there is a place, it is elsewhere, and the hosts know it.

    Args:
        kept: where a tenant's backups are kept; None where no place was named.
        location: where that is; '' where nobody knows.
        across: whether a location has to be known, and another than the tenant's: not where hosts are processes here.
    """

    def __init__(
        self, kept: Kept, location: str, *, across: bool, vault: Vault, regiving: Regiving, planes: Planes
    ) -> None:
        self._kept, self._location, self._across = kept, location, across
        self._vault, self._regiving, self.planes = vault, regiving, planes

    def asked(self, uow: ProvisioningUnitOfWork, tenant: TenantRow) -> None:
        """Raises Conflict: `backup_not_set`, `tenant_moves`, `backup_location_unknown`, `backup_same_location`."""
        project = uow.projects.get(tenant.project_id)
        assert project is not None  # never removed
        owner = Owner(environment=project.environment, project_id=project.project_id, tenant_id=tenant.tenant_id)
        if self._kept(owner) is None:
            raise Conflict(
                "backup_not_set",
                "No place for backups was named.",
                "Set FROSTBYTE_BACKUP_URL to https://host/bucket/folder, or to file:///folder on another disk.",
            )
        entries = uow.journal.entries(owner)
        if not any(row.action == Action.FILES for row in entries):
            raise moving()
        here = {str(row.facts.get("location", "")) for row in entries if row.action == Action.SERVER} - {""}
        if self._across and not self._location:
            raise Conflict(
                "backup_location_unknown",
                "Nobody says where the place for backups is, so it may be where the tenant's servers are.",
                "Set FROSTBYTE_BACKUP_LOCATION to the location as the cloud calls it, such as hel1.",
            )
        if self._across and self._location in here:
            raise Conflict(
                "backup_same_location",
                f"The place for backups is in {self._location}, where the tenant's servers are.",
                "Name a place in another location: what burns there must not burn here.",
            )

    def stage(self) -> Stage:
        """The first stage of both."""
        return Stage(name="backup_prepared", do=self._prepared)

    def _prepared(self, task: Task) -> Mapping[str, Any]:
        """Give the hosts what they need, where that is another than they have; twice is once."""
        keeping = self._kept(task.owner)
        if keeping is None:  # it was named when the operation began
            raise Conflict("backup_not_set", "No place for backups is named any more.", "Set FROSTBYTE_BACKUP_URL.")
        held = self._vault.open(task.owner)
        told = held.get(GIVEN) != keeping.mark
        if told:
            self._regiving.give(task.owner, task.stop)
            self._regiving.again(task.owner, Action.DEPLOY, task.stop)
            self._vault.seal(task.owner, {**self._vault.open(task.owner), GIVEN: keeping.mark})
        return {"told": told, "place": keeping.endpoint}


class BackingUp:
    """See the module, and `upkeep.duty.Duty`."""

    kinds = frozenset({OperationKind.BACKUP})
    event = EventType.TENANT_BACKED_UP

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Nothing is asked for but a backup. Raises as `Preparing.asked`."""
        self._preparing.asked(uow, tenant)
        return {}

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """Prepared, then taken and tried in one go on the host."""
        return (self._preparing.stage(), Stage(name="backup_taken", do=self._taken))

    def _taken(self, task: Task) -> Mapping[str, Any]:
        said = self._preparing.planes(task.owner, task.stop).take()
        return facts_of(said)

    def details(self, task: Task) -> Mapping[str, Any]:
        """How much it is."""
        try:
            facts = task.facts("backup_taken")
        except KeyError:
            return {}
        return {"documents": facts["documents"], "bytes": facts["written"], "size": facts["bytes"]}


class Restoring:
    """See the module, and `upkeep.duty.Duty`."""

    kinds = frozenset({OperationKind.RESTORE})
    event = EventType.TENANT_RESTORED

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """`snapshot`: its name, '' for the newest good one; `give_up_present`: no backup of what is there comes first.

        Raises:
            Invalid: `restore_request_invalid`.
            Conflict: as `Preparing.asked`.
        """
        values = {"snapshot": "", "give_up_present": False, **request}
        name, given_up = values["snapshot"], values["give_up_present"]
        good = isinstance(name, str) and (not name or _SNAPSHOT.fullmatch(name)) and isinstance(given_up, bool)
        if set(values) != {"snapshot", "give_up_present"} or not good:
            raise Invalid(
                "restore_request_invalid",
                "A restore is asked for with a snapshot's name and nothing else.",
                "`frostbyte tenant backups` lists the names: 20260301T020000Z-0a1b2c3d.",
            )
        self._preparing.asked(uow, tenant)
        return values

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """Tried first; what is there is kept; from then on it can be led back to that."""
        first = (self._preparing.stage(), Stage(name="backup_tried", do=self._tried))
        if operation.request["give_up_present"]:  # a plane without its documents is not started as if it were well
            return (
                *first,
                Stage(name="plane_stopped", do=self._stopped, final=True),
                Stage(name="plane_replaced", do=self._replaced),
                Stage(name="plane_started", do=self._started),
                Stage(name="intake_opened", do=self._opened),
            )
        return (
            *first,
            Stage(name="intake_closed", do=self._closed, undo=self._opened),
            Stage(name="present_kept", do=self._kept),
            Stage(name="plane_stopped", do=self._stopped, undo=self._started_again),
            Stage(name="plane_replaced", do=self._replaced, undo=self._led_back),
            Stage(name="plane_started", do=self._started),
            Stage(name="intake_opened", do=self._opened),
        )

    def _plane(self, task: Task) -> KeptPlane:
        return self._preparing.planes(task.owner, task.stop)

    def _tried(self, task: Task) -> Mapping[str, Any]:
        said = self._plane(task).verify(str(task.request["snapshot"]))
        if not said.get("ok"):
            raise Conflict(
                str(said.get("code") or "backup_damaged"),
                "The backup was tried before anything was touched, and cannot be put back.",
                "Choose an older one: `frostbyte tenant backups` says which were found good.",
            )
        return {"snapshot": str(said["snapshot"]), "seconds": said.get("seconds", 0.0)}

    def _kept(self, task: Task) -> Mapping[str, Any]:
        """The plane is closed: whatever it gave a receipt for is in it, so that being led back loses nothing.

        Nothing is forgotten for it: that could be the very backup that is to be put back.
        """
        return facts_of(self._plane(task).take(forget=False))

    def _closed(self, task: Task) -> None:
        self._plane(task).close()

    def _opened(self, task: Task) -> None:
        self._plane(task).open()

    def _stopped(self, task: Task) -> None:
        self._plane(task).stop()

    def _started_again(self, task: Task) -> None:
        plane = self._plane(task)
        plane.start()
        plane.register()

    def _replaced(self, task: Task) -> Mapping[str, Any]:
        return self._put(task, str(task.facts("backup_tried")["snapshot"]))

    def _led_back(self, task: Task) -> None:
        self._put(task, str(task.facts("present_kept")["snapshot"]))

    def _put(self, task: Task, snapshot: str) -> Mapping[str, Any]:
        plane = self._plane(task)
        plane.empty()
        said = plane.restore(snapshot)
        return {
            "snapshot": snapshot,
            "documents": int(said.get("documents", 0)),
            "passages": int(said.get("passages", 0)),
            "erased": int(said.get("erased", 0)),
        }

    def _started(self, task: Task) -> None:
        plane = self._plane(task)
        plane.start()
        plane.register()

    def details(self, task: Task) -> Mapping[str, Any]:
        """What came back."""
        try:
            facts = task.facts("plane_replaced")
        except KeyError:
            return {}
        return {"documents": facts["documents"], "erased": facts["erased"]}


def facts_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal keeps of a backup that was taken and tried.

    Raises:
        Conflict: the code of what its trial said; `backup_not_tried`.
    """
    taken, verified = said.get("taken") or {}, said.get("verified") or {}
    if not verified.get("ok"):
        raise Conflict(
            str(verified.get("code") or "backup_not_tried"),
            "The backup was taken, and a trial of it says that it cannot be put back.",
            "Look at the place, or name another; `frostbyte tenant backups` says which were found good.",
        )
    return {
        "snapshot": str(taken["snapshot"]),
        "documents": int(taken["documents"]),
        "stored": int(taken.get("stored", 0)),
        "bytes": int(taken["size"]),
        "written": int(taken["written"]),
        "missing": len(taken.get("missing", ())),
        "seconds": float(taken["seconds"]),
        "trial_seconds": float(verified.get("seconds", 0.0)),
    }
