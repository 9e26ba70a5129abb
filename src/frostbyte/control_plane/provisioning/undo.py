"""The way back and the way down: what the journal holds is taken away, the last first, and seen to be gone.

What cannot be taken away keeps its entry, and nothing else waits for it for ever: a record that no name server lets go
must not keep a server that costs money.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from frostbyte.control_plane.provisioning.journal import Direction, EntryRow, EntryState, RunRow
from frostbyte.control_plane.provisioning.lease import Interrupted
from frostbyte.control_plane.provisioning.making import Work, translated
from frostbyte.control_plane.provisioning.notes import KEPT, outcome_of
from frostbyte.control_plane.provisioning.order import in_order
from frostbyte.control_plane.provisioning.plan import Standing
from frostbyte.control_plane.provisioning.planned import step_of, stood
from frostbyte.control_plane.provisioning.resources import STEP, Found, Kind
from frostbyte.control_plane.provisioning.steps import Action, Step
from frostbyte.kernel.audit.events import EventType

LOOKS: Final = 3
"""How often it is looked for what came late, when each look finds something."""
Leftovers = Callable[[], Sequence[Found]]
"""Everything at the cloud, records included, that carries the owner's labels."""
_log = structlog.get_logger("frostbyte.provisioner")


def covered(run: RunRow, entries: Sequence[EntryRow], *, served: bool) -> list[EntryRow]:
    """What a run takes away: everything; but turned back while its owner was in service before, only what was not
    there when it was planned."""
    live = [row for row in entries if row.state is not EntryState.GONE]
    if run.direction is not Direction.BACK or not served:
        return live
    standings = run.plan.get("facts", {}).get("standings", {})
    # What was lost is made for good: without it nothing of the owner would work, whatever else failed.
    lost = {key for key, standing in standings.items() if standing == Standing.LOST}
    before = lost | {step.key for step in stood(run.owner, run.plan).steps}
    return [row for row in live if row.run_id == run.run_id and row.key not in before]


def stays(run: RunRow, entry: EntryRow, *, served: bool) -> bool:
    """Whether it is a volume that outlives the run: it may hold an owner's data, and nobody said to destroy that.

    Args:
        run: that takes things away.
        entry: what.
        served: whether the owner was ever in service.
    """
    destroy = run.direction is Direction.DOWN and run.request.get("destroy_data") is True
    return _outlives(entry, served=served, destroy=destroy)


def parted(entries: Sequence[EntryRow], *, served: bool, destroy: bool) -> tuple[list[EntryRow], list[EntryRow]]:
    """What of live entries a way down would take away, the last first, and what would stay.

    Args:
        served: whether the owner was ever in service.
        destroy: whether its data is to be destroyed.
    """
    kept = [entry for entry in entries if _outlives(entry, served=served, destroy=destroy)]
    return [entry for entry in reversed(entries) if entry not in kept], kept


def _outlives(entry: EntryRow, *, served: bool, destroy: bool) -> bool:
    return entry.kind == Kind.VOLUME and (served or bool(entry.facts.get(KEPT))) and not destroy


def backwards(entries: Sequence[EntryRow]) -> dict[str, set[str]]:
    """What each waits for on the way back: all that need it."""
    waits: dict[str, set[str]] = {entry.key: set() for entry in entries}
    for entry in entries:
        for key in entry.needs:
            waits.get(key, set()).add(entry.key)
    return waits


class Undoing:
    """One run's way back or down.

    Args:
        work: see there.
        served: whether the owner was ever in service.
    """

    def __init__(self, work: Work, *, served: bool) -> None:
        self._work, self._notes, self._served = work, work.notes, served
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()

    def go(self, entries: Sequence[EntryRow]) -> dict[str, str]:
        """Take these away. Returns what could not be, with the code of the error.

        Raises:
            Interrupted: another provisioner goes on, or the process ends.
        """
        self._failed = {}
        keys = [entry.key for entry in reversed(entries)]
        in_order(keys, backwards(entries), self._step, threads=self._work.pace.threads)
        return self._failed

    def late(self, leftovers: Leftovers, seconds: float) -> dict[str, str]:
        """Look once more at everything with the owner's labels, and take away what came after its step was undone.

        Args:
            leftovers: lists it.
            seconds: to wait before.

        Returns:
            what could not be taken away, with the code; `leftovers` for the list itself.
        """
        self._work.rest(seconds)
        failed: dict[str, str] = {}
        for _ in range(LOOKS):
            try:
                found = self._work.insist(leftovers)
            except Interrupted:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it raised: nobody knows what is left
                return {**failed, "leftovers": translated(error).code}
            strays = self._strays(found)
            if not strays:
                return failed
            _log.warning("came_late", count=len(strays))
            failed = self.go(strays)
        return failed

    def _strays(self, found: Sequence[Found]) -> list[EntryRow]:
        """Entries of what is there though they say that it is gone; one is written for what no entry knows."""
        run = self._notes.run
        partial = run.direction is Direction.BACK and self._served
        strays = []
        for thing in found:
            entry = self._entry(thing)
            if entry is None and not partial:
                step = Step(key=_stray_key(thing), action=Action(thing.kind.value), name=thing.name)
                entry = self._notes.intend(step, _LAST)
            if entry is not None and entry.state in (EntryState.GONE, EntryState.INTENDED):
                strays.append(entry)
        return strays

    def _entry(self, thing: Found) -> EntryRow | None:
        for entry in self._notes.entries():
            if entry.kind == thing.kind and entry.name == thing.name:
                return entry
        labelled = self._notes.entry(thing.labels.get(STEP, ""))
        return labelled if labelled is not None and labelled.kind == thing.kind else None

    def _step(self, key: str) -> bool:
        try:
            self._undone(key)
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - what broke remains, and is told
            code = translated(error).code
            _log.warning("not_undone", step=key, code=code)
            with self._lock:
                self._failed[key] = code
            self._notes.failed(key, code, undoing=True)
        return True

    def _undone(self, key: str) -> None:
        entry = self._notes.entry(key)
        assert entry is not None  # it was listed from there
        step = step_of(entry)
        self._work.check()
        if stays(self._notes.run, entry, served=self._served):
            if entry.state is EntryState.DONE:
                if not entry.facts.get(KEPT):
                    self._notes.kept(key)
                return
            found = self._work.insist(lambda: self._work.doing(step).find(step, self._work.scene))
            if found is not None:
                self._notes.intend(step, entry.position, fresh=False)
                self._notes.done(step, found, EventType.RESOURCE_ADOPTED)
                self._notes.kept(key)
            else:
                self._notes.undoing(key)
                self._notes.gone(key)
            return
        known = entry.state is not EntryState.GONE and (entry.resource_id or entry.state is EntryState.DONE)
        outcome = outcome_of(entry) if known else None  # what came late is not what is known to be gone
        self._notes.undoing(key)
        self._work.insist(lambda: self._work.doing(step).undo(step, outcome, self._work.scene))
        self._notes.gone(key)


_LAST: Final = 1_000_000
"""The position of what no plan knew: undone first."""


def _stray_key(thing: Found) -> str:
    return re.sub(r"[^a-z0-9._-]", "-", f"stray.{thing.kind.value}.{thing.resource_id}".lower())[:120]


def remaining(entries: Sequence[EntryRow]) -> Mapping[str, EntryRow]:
    """What may still exist and cost something, by the key of its step."""
    return {row.key: row for row in entries if row.kind and row.state is not EntryState.GONE}
