"""Brings a tenant that stands to another version: whole, or back to the old one with its data.

    images, room     while everything goes on; so are the new version's files given to hosts
    closed           questions are answered, nothing is taken; what was begun ends
    frozen           nothing is written down; the log is signed to its end
    copied           the database beside itself
    switched         old processes end; stores, gateway with the schema, workers start in the new version
    verified         each part is tried, and what the plane holds is what it held: from here on only forward
    opened           everything is taken again, and the plane's log says what it became
    given_up         the copy goes
    recorded         the journal says what runs

What fails before `verified` goes all the way back, in one piece. No receipt is taken back by that: between `frozen` and
`opened` the plane gives none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.provisioning.desired import release_order, standing_release
from frostbyte.control_plane.provisioning.doing.table import World
from frostbyte.control_plane.provisioning.hosting import Release
from frostbyte.control_plane.provisioning.journal import Direction, RunRow, RunState, in_force
from frostbyte.control_plane.provisioning.notes import run_event
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory, ProvisioningUnitOfWork
from frostbyte.control_plane.provisioning.regiving import moving
from frostbyte.control_plane.provisioning.resources import Owner
from frostbyte.control_plane.registry.records import (
    EndpointsRow,
    OperationKind,
    OperationRow,
    OperationStatus,
    StepRow,
    TenantRow,
)
from frostbyte.control_plane.upkeep.duty import Stage, Task
from frostbyte.control_plane.upkeep.plane_hosts import PlaneHosts
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.channel import PlaneUpkeep
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Conflict, Invalid, Unavailable
from frostbyte.kernel.ids import new_id
from frostbyte.kernel.records import Upkeep

DRAIN_SECONDS: Final = 300.0
"""How long work that was begun may take to end; what is cut off then is done again."""
MOST_DRAIN: Final = 3600.0
FREEZE_SECONDS: Final = 60.0
ROOM_FACTOR: Final = 1.1
ROOM_BYTES: Final = 1 << 30
"""What stays free beside the copy: for the log that the new version's migrations write."""
LOOK_SECONDS: Final = 0.1
ACTOR: Final = "updater"
_PAGE: Final = 100


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked for, and what an earlier update left half done."""

    to: str
    drain_seconds: float = DRAIN_SECONDS
    current: str = ""
    """What runs before it."""
    way: str = ""
    """`back` or `forward`: how the earlier one is ended first; '' for nothing left."""
    left_to: str = ""
    """What that one was to bring."""
    left_mark: str = ""
    left_holds: dict[str, Any] = {}
    """What the plane held when that one froze it; {} where it did not come so far."""


class Updating:
    """See the module, and `duty.Duty`.

    Args:
        worlds: what is acted on in a project.
        channels: the way to a plane.
        releases: what a version runs. Raises `release_unknown`.
        own: the control plane's own version: it cannot describe the hosts of a newer one.
    """

    kinds = frozenset({OperationKind.UPDATE})
    event = EventType.TENANT_UPDATED

    def __init__(
        self,
        unit_of_work: ProvisioningFactory,
        clock: Clock,
        worlds: Callable[[str], World],
        channels: Callable[[EndpointsRow], PlaneChannel],
        releases: Callable[[str], Release],
        own: str,
    ) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._worlds, self._channels, self._releases, self._own = worlds, channels, releases, own

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def asked(
        self, uow: ProvisioningUnitOfWork, tenant: TenantRow, kind: OperationKind, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See duty.Duty.

        Raises:
            Invalid: `update_request_invalid`, `release_malformed`, `release_unreadable`.
            Conflict: `tenant_moves`, `release_unknown`, `release_same`, `release_older`, `release_newer`.
        """
        asked = _read({name: request[name] for name in ("to", "drain_seconds") if name in request})
        project = uow.projects.get(tenant.project_id)
        assert project is not None  # never removed
        owner = Owner(environment=project.environment, project_id=project.project_id, tenant_id=tenant.tenant_id)
        entries = uow.journal.entries(owner)
        current = standing_release(entries)
        if not current or uow.journal.running(owner) or uow.endpoints.get(tenant.tenant_id) is None:
            raise moving()
        self._releases(asked.to)
        asked = replace(_after(uow, tenant.tenant_id, asked), current=current)
        _newer(asked, self._own)
        values: dict[str, Any] = msgspec.to_builtins(asked)
        return values

    # -- stages --------------------------------------------------------------------------------------------------------

    def stages(self, operation: OperationRow) -> Sequence[Stage]:
        """See the module; what an earlier update left comes first."""
        asked = _read(operation.request)
        ended = {"back": (Stage(name="ended_back", do=self._ended_back),), "": ()}.get(
            asked.way, (Stage(name="ended_forward", do=self._ended_forward),)
        )
        if asked.way and asked.to == (asked.left_to if asked.way == "forward" else asked.current):
            return ended
        return (
            *ended,
            Stage(name="images", do=self._images),
            Stage(name="room", do=self._room),
            Stage(name="files", do=self._files, undo=self._back),
            Stage(name="closed", do=self._closed),
            Stage(name="frozen", do=self._frozen),
            Stage(name="copied", do=self._copied),
            Stage(name="switched", do=self._switched),
            Stage(name="verified", do=self._verified, final=True),
            Stage(name="opened", do=self._opened),
            Stage(name="given_up", do=self._given_up),
            Stage(name="recorded", do=self._recorded),
        )

    def details(self, task: Task) -> Mapping[str, Any]:
        """The version."""
        return {"pipeline_version": _read(task.request).to}

    def _images(self, task: Task) -> Mapping[str, Any]:
        return {"count": self._hosts(task).bring(_read(task.request).to)}

    def _room(self, task: Task) -> Mapping[str, Any]:
        """A database whose disk is full stops, so the copy must not fill it."""
        needed, free = self._hosts(task).room()
        if free < needed * ROOM_FACTOR + ROOM_BYTES:
            raise Conflict(
                "update_no_room",
                f"The database takes {needed >> 20} MB and is copied beside itself; {free >> 20} MB are free there.",
                "Let the volume grow (frostbyte tenant scale --volume-gb), then update again.",
            )
        return {"bytes": needed, "free": free}

    def _files(self, task: Task) -> None:
        """Nothing that runs looks at them; they are there so that no time is lost once the plane stands still."""
        self._hosts(task).give(_read(task.request).to)

    def _closed(self, task: Task) -> Mapping[str, Any]:
        channel, ends = self._channel(task), time.monotonic() + _read(task.request).drain_seconds
        state = channel.keep(Upkeep.READING)
        while (state.leases or state.writing) and time.monotonic() < ends:
            task.pause(LOOK_SECONDS)
            state = channel.upkeep()
        return {"leases": state.leases, "writing": state.writing}

    def _frozen(self, task: Task) -> Mapping[str, Any]:
        channel, ends = self._channel(task), time.monotonic() + FREEZE_SECONDS
        state = channel.keep(Upkeep.FROZEN)
        while not state.settled:
            if time.monotonic() >= ends:
                raise Unavailable(
                    "checkpoint_pending",
                    f"The plane's log has no checkpoint of its end after {FREEZE_SECONDS:.0f} s.",
                    "See that the gateway runs and has its log's key; then update again.",
                )
            task.pause(LOOK_SECONDS)
            state = channel.upkeep()
        return {"holds": state.holds(), "version": state.version}

    def _copied(self, task: Task) -> None:
        self._hosts(task).copies("take", _mark(task))

    def _switched(self, task: Task) -> None:
        hosts = self._hosts(task)
        hosts.stop()
        hosts.start(_read(task.request).to)

    def _verified(self, task: Task) -> Mapping[str, Any]:
        state = self._channel(task).upkeep(tried=True)
        _same(state, task.facts("frozen")["holds"])
        ill = sorted(f"{name}: {code}" for name, code in state.parts.items() if code != "ok")
        if ill:
            raise Conflict(
                "update_unwell",
                f"The new version does not do its work: {', '.join(ill)}.",
                "docs/errors.md says what to do about each; then update again.",
            )
        return {"version": state.version, "parts": sorted(state.parts)}

    def _opened(self, task: Task) -> None:
        self._channel(task).keep(Upkeep.OPEN, updated_to=_read(task.request).to)

    def _given_up(self, task: Task) -> None:
        self._hosts(task).copies("drop", _mark(task))

    def _recorded(self, task: Task) -> None:
        self._record(task, _read(task.request).to)

    # -- back, and what an earlier one left ---------------------------------------------------------------------------

    def _back(self, task: Task) -> None:
        frozen, copied = _facts(task, "frozen") or {}, _facts(task, "copied")
        current = _read(task.request).current
        self._return(task, current, _mark(task), frozen.get("holds", {}), switched=copied is not None)

    def _ended_back(self, task: Task) -> None:
        asked = _read(task.request)
        self._return(task, asked.current, asked.left_mark, asked.left_holds, switched=True)

    def _ended_forward(self, task: Task) -> None:
        asked, hosts = _read(task.request), self._hosts(task)
        hosts.start(asked.left_to)
        self._channel(task).keep(Upkeep.OPEN, updated_to=asked.left_to)
        hosts.copies("drop", asked.left_mark)
        self._record(task, asked.left_to)

    def _return(self, task: Task, release: str, mark: str, holds: Mapping[str, Any], *, switched: bool) -> None:
        """The old version with its data. Done again, it changes nothing; a plane that was opened is never taken back,
        which its database sees to as well.

        Args:
            switched: whether anything else than what ran may have been started.
        """
        hosts = self._hosts(task)
        hosts.give(release)
        if switched:
            hosts.stop()
            hosts.stores()
            hosts.copies("restore", mark)
            hosts.start(release)
        channel = self._channel(task)
        state = channel.upkeep()
        if holds and state.upkeep is Upkeep.FROZEN:
            _same(state, holds)
        hosts.copies("drop", mark)
        channel.keep(Upkeep.OPEN)

    # -- what they work with ------------------------------------------------------------------------------------------

    def _hosts(self, task: Task) -> PlaneHosts:
        return PlaneHosts(self._worlds(task.owner.project_id), task.owner, task.stop)

    def _channel(self, task: Task) -> PlaneChannel:
        with self._unit_of_work() as uow:
            row = uow.endpoints.get(task.owner.tenant_id)
        if row is None:
            raise moving()
        return self._channels(row)

    def _record(self, task: Task, release: str) -> None:
        """As a run that had nothing to do: its request says the version from now on, and so do the entries."""
        entries = self._hosts(task).changed(release)
        with self._unit_of_work() as uow:
            runs, now = uow.journal.runs(task.owner), self._clock.now()
            last = in_force(runs) or {}
            if not entries and last.get("release") == release:
                return
            run = RunRow(
                run_id=new_id(),
                environment=task.owner.environment,
                project_id=task.owner.project_id,
                tenant_id=task.owner.tenant_id,
                direction=Direction.UP,
                state=RunState.RUNNING,
                request={**last, "release": release},
                plan={},
                fence=max((run.fence for run in runs), default=0) + 1,
                holder="",
                leased_until=None,
                started_at=now,
                ended_at=None,
                code="",
            )
            uow.journal.begin(run)
            run_event(uow, self._clock, run, EventType.RUN_BEGUN, ACTOR)
            for row in entries:
                uow.journal.put(replace(row, fence=run.fence, changed_at=now))
            ended = replace(run, state=RunState.SUCCEEDED, ended_at=now)
            uow.journal.put_run(ended)
            run_event(uow, self._clock, ended, EventType.RUN_ENDED, ACTOR, outcome=ended.state, remaining=0)
            uow.commit()


def _facts(task: Task, stage: str) -> Mapping[str, Any] | None:
    """Of a stage that is done; None for one that is not."""
    try:
        return task.facts(stage)
    except KeyError:
        return None


def _mark(task: Task) -> str:
    """Names this update's copy: the random end of the operation's id."""
    return task.operation.operation_id.hex[-12:]


def _read(request: Mapping[str, Any]) -> Asked:
    try:
        asked = msgspec.convert(dict(request), Asked)
    except msgspec.ValidationError as error:
        raise Invalid(
            "update_request_invalid",
            f"An update cannot be asked for like this: {error}.",
            "Name the version with `to`, and seconds as a number.",
        ) from None
    if not 0 <= asked.drain_seconds <= MOST_DRAIN:
        raise Invalid(
            "update_request_invalid",
            f"An update cannot be asked for like this: work is waited for 0 to {MOST_DRAIN:.0f} s.",
            "Name the version with `to`, and seconds as a number.",
        )
    return asked


def _newer(asked: Asked, own: str) -> None:
    """See that the version follows what runs. Raises Conflict, Invalid."""
    runs = asked.left_to if asked.way == "forward" else asked.current
    wanted = release_order(asked.to)
    if wanted > release_order(own):
        raise Conflict(
            "release_newer",
            f"This control plane is {own} and does not know what hosts of {asked.to} need.",
            "Update the base first: frostbyte control update.",
        )
    if wanted < release_order(runs):
        raise Conflict(
            "release_older",
            f"The tenant runs {runs}, which is newer than {asked.to}: its data may not be read by that.",
            "Stay with the newer version; to go back to older data, restore a backup.",
        )
    if wanted == release_order(runs) and not asked.way:
        raise Conflict("release_same", f"The tenant runs {runs} already.", "Nothing has to be done.")


def _after(uow: ProvisioningUnitOfWork, tenant_id: str, asked: Asked) -> Asked:
    """With what the tenant's last update left half done, if it did."""
    page = uow.operations.page(tenant_id=tenant_id, limit=_PAGE)
    last = next((row for row in page if row.kind is OperationKind.UPDATE), None)
    if last is None or last.status is not OperationStatus.FAILED:
        return asked
    done = {row.step: row for row in uow.operations.steps(last.operation_id) if not row.code}
    before = _read(last.request)
    if "verified" in done:
        way, mark, to = "forward", last.operation_id.hex[-12:], before.to
    elif before.way and not {"ended_back", "ended_forward"} & done.keys():
        way, mark, to = before.way, before.left_mark, before.left_to
    elif last.code == "upkeep_remains":
        way, mark, to = "back", last.operation_id.hex[-12:], before.to
    else:
        return asked
    return replace(asked, way=way, left_mark=mark, left_to=to, left_holds=_held(done, before))


def _held(done: Mapping[str, StepRow], before: Asked) -> dict[str, Any]:
    frozen = done.get("frozen")
    return dict(frozen.facts["holds"]) if frozen is not None else before.left_holds


def _same(state: PlaneUpkeep, holds: Mapping[str, Any]) -> None:
    """See that a plane still stands still, and holds what it held."""
    differs = sorted(name for name, value in state.holds().items() if holds.get(name) != value)
    if state.upkeep is not Upkeep.FROZEN or differs:
        raise Conflict(
            "update_differs",
            f"The plane does not hold what it held before the update: {', '.join(differs) or 'it is open'}.",
            "Nothing was taken back. Look at the plane and at its log before anything else.",
        )
