"""The way up: every step of a plan found or done, verified and written down; what the plan does not hold taken away."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import structlog

from frostbyte.control_plane.provisioning.journal import EntryRow, EntryState
from frostbyte.control_plane.provisioning.lease import Interrupted, Lease, Pace
from frostbyte.control_plane.provisioning.notes import KEPT, Notes, Scene, outcome_of
from frostbyte.control_plane.provisioning.order import in_order
from frostbyte.control_plane.provisioning.planned import step_of
from frostbyte.control_plane.provisioning.resources import Kind
from frostbyte.control_plane.provisioning.retry import MOST, REFUSED, Tries
from frostbyte.control_plane.provisioning.steps import Action, Changing, Doing, Lasting, Outcome, Plan, Step
from frostbyte.kernel.audit.events import EventType
from frostbyte.kernel.errors import Conflict, FrostbyteError

R = TypeVar("R")
_log = structlog.get_logger("frostbyte.provisioner")


class Work:
    """What all calls of a run share: the lease before each, pauses between tries, and an end for all at once.

    Args:
        notes: the run's journal.
        doings: how each action is done.
        lease: the right to go on.
        pace: how long things are waited for.
        resumed: whether another provisioner has worked on the run: nobody knows what it asked for last.
    """

    def __init__(
        self, notes: Notes, doings: Mapping[Action, Doing], lease: Lease, pace: Pace, *, resumed: bool
    ) -> None:
        self.notes, self.pace = notes, pace
        self._unsure_at = time.monotonic() if resumed else -math.inf
        self._doings, self._lease = doings, lease
        self.halt = threading.Event()
        """Set when another step has failed for good: none is tried again."""
        self.scene = Scene(notes, lambda: lease.stopped() or self.halt.is_set())

    def doing(self, step: Step) -> Doing:
        """How a step's action is done. Raises FrostbyteError where nobody knows."""
        doing = self._doings.get(step.action)
        if doing is None:
            raise broken(f"nobody knows how to do '{step.action}'")
        return doing

    def check(self) -> None:
        """Before every call. Raises Interrupted."""
        self._lease.check()

    def unsure(self) -> None:
        """A resource was asked for, and whether it is made is not known."""
        self._unsure_at = time.monotonic()

    def late_seconds(self) -> float:
        """How long something can still come into being that was asked for and not answered; 0 if all was answered."""
        return max(0.0, self._unsure_at + self.pace.late_seconds - time.monotonic())

    def rest(self, seconds: float) -> None:
        """Pause. Raises Interrupted; GivenUp where nothing is tried again, because another step has failed."""
        left = seconds
        while left > 0 and not self.halt.is_set():
            self.check()
            self.pace.pause(self.halt, min(left, 1.0))
            left -= 1.0
        self.check()
        if self.halt.is_set():
            raise GivenUp

    def insist(self, call: Callable[[], R]) -> R:
        """Call, and again as long as its errors are such as pass (retry.AGAIN).

        Raises:
            FrostbyteError: its last one.
            Interrupted, GivenUp: as `check` and `rest`.
        """
        tries = Tries()
        while True:
            self.check()
            try:
                return call()
            except FrostbyteError as error:
                pause = tries.pause(error)
                if pause is None:
                    raise
            self.rest(pause)


class GivenUp(Exception):
    """Another step has failed for good: this one is left as its entry says."""


def volume_lost() -> Conflict:
    """An owner's data is gone with the volume that it lay on."""
    return Conflict(
        "volume_lost",
        "The volume with the tenant's data is gone at the cloud, and an empty one would only hide that.",
        "Look who removed it; then restore the tenant from a backup: frostbyte tenant restore.",
    )


def broken(why: str) -> FrostbyteError:
    """A step that does not keep to what steps promise."""
    return FrostbyteError(
        "step_broken",
        f"A step of provisioning broke: {why}.",
        "This is a defect in Frostbyte; report it with the control plane's log.",
    )


def translated(error: Exception) -> FrostbyteError:
    """A step's error; what is none of the family is a defect, and it must end the run and not the provisioner."""
    if isinstance(error, FrostbyteError):
        return error
    _log.error("step_broke", error=type(error).__name__)
    return broken("it raised what no step may raise")


class Making:
    """One run's way up; or, where it changed an owner in service and failed, the way to what stood before.

    Args:
        work: see there.
        plan: what is to be there.
        served: whether the owner was ever in service: its volumes hold data.
        back: what the run has done is not trusted: every step that makes no resource is done once more, for it may
            have been done otherwise, and a server may have been switched off. Volumes stay as they are.
    """

    def __init__(self, work: Work, plan: Plan, *, served: bool, back: bool = False) -> None:
        self._work, self._notes = work, work.notes
        self._steps = {step.key: step for step in plan.steps}
        self._positions = {step.key: number for number, step in enumerate(plan.steps)}
        self._served, self._back = served, back
        self._code = ""
        self._lock = threading.Lock()

    def go(self) -> str:
        """Do what is not done yet. Returns the code of the first error that ends the run; '' when all is done.

        Raises:
            Interrupted: another provisioner goes on, or the process ends.
        """
        needs = {key: step.needs for key, step in self._steps.items()}
        in_order(list(self._steps), needs, self._step, threads=self._work.pace.threads)
        return self._code

    def _step(self, key: str) -> bool:
        step = self._steps[key]
        if self._work.halt.is_set():
            return False
        try:
            self._work.check()
            self._made(step)
            return True
        except GivenUp:
            return False
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - a step that broke ends its run, whatever it raised
            self._fail(step, translated(error))
            return False

    def _fail(self, step: Step, error: FrostbyteError) -> None:
        with self._lock:
            self._code = self._code or error.code
        self._work.halt.set()
        # The sentence is for whoever makes a base at a terminal; a server's log drops it (kernel.logging).
        _log.warning("step_failed", step=step.key, code=error.code, what=error.message)
        if self._notes.entry(step.key) is not None:
            self._notes.failed(step.key, error.code)

    def _made(self, step: Step) -> None:
        """See that the step is done."""
        entry = self._notes.entry(step.key)
        if self._back and entry is not None and entry.kind == Kind.VOLUME:  # it may have grown, and stays so
            size = max(int(entry.spec["size_gb"]), int(step.spec["size_gb"]))
            step = replace(step, spec={**step.spec, "size_gb": size})
        look = entry is not None and entry.state in (EntryState.INTENDED, EntryState.UNDOING)
        changed = entry is not None and entry.spec_sha256 != step.spec_sha256
        if entry is not None and entry.state is EntryState.DONE:
            if changed and not self._anew(step, entry):
                return
            if not changed and not self._stale(step, entry) and (self._ours(entry) or self._stands(step, entry)):
                return
            look = step.kind is not None  # what makes nothing is done again
            if look and self._notes.entry(step.key) is entry:
                self._notes.intend(step, self._positions[step.key], fresh=False)
        elif entry is not None and look and changed and step.kind not in (None, Kind.VOLUME):
            self._taken_away(entry)  # whatever there is of it was to be something else
            look = False
        self._done(step, look=look)

    def _ours(self, entry: EntryRow) -> bool:
        """Made and seen by this very run, before its provisioner was replaced."""
        return entry.run_id == self._notes.run.run_id

    def _stale(self, step: Step, entry: EntryRow) -> bool:
        """Whether something that it needs was made anew since, or switched off."""
        if self._back and step.kind is None:
            return True
        needed = (self._notes.entry(key) for key in step.needs)
        return not self._ours(entry) and any(row is not None and self._ours(row) for row in needed)

    def _stands(self, step: Step, entry: EntryRow) -> bool:
        """Whether what an older run made is still as it should be."""
        self._allow(entry, entry.resource_id)
        if entry.facts.get(KEPT):
            return False
        doing = self._work.doing(step)
        if isinstance(doing, Lasting):
            lasting = doing  # narrowed for good
            if not self._work.insist(lambda: lasting.lasts(step, outcome_of(entry), self._work.scene)):
                return False
        try:
            self._verify(step, outcome_of(entry))
        except FrostbyteError:  # it is looked for, and made if it is not there
            return False
        return True

    def _allow(self, entry: EntryRow, resource_id: str, *, foreign: bool = False) -> None:
        """Refuse to take up a volume with an owner's data, unless that is what was asked for.

        Args:
            entry: of the step.
            resource_id: what was found.
            foreign: it was there before this run asked for one.
        """
        used = resource_id == entry.resource_id and not entry.facts.get(KEPT)
        held = bool(entry.facts.get(KEPT)) or (self._served and (foreign or not self._ours(entry)))
        if entry.kind == Kind.VOLUME and held and not used and not self._notes.run.request.get("reuse_volume"):
            raise Conflict(
                "volume_kept",
                "A volume is there that held this owner's data, and nobody said to use it again.",
                "Say --reuse-volume to use it, or remove it at the cloud if nobody needs it.",
            )

    def _anew(self, step: Step, entry: EntryRow) -> bool:
        """It is to be something else: changed in place (False), or taken away to be made anew (True)."""
        doing, outcome = self._work.doing(step), outcome_of(entry)
        if isinstance(doing, Changing):
            changing = doing  # narrowed for good
            after = self._work.insist(lambda: changing.change(step, outcome, self._work.scene))
            if after is not None:
                self._verify(step, after)
                # A server that became another one was switched off: what needs it is done again.
                self._notes.done(
                    step,
                    after,
                    EventType.RESOURCE_CHANGED,
                    anew=step.kind is Kind.SERVER and after.facts != outcome.facts,
                )
                return False
        if step.kind is None:
            return True
        if entry.kind == Kind.VOLUME and (self._served or entry.facts.get(KEPT)):
            raise Conflict(
                "volume_kept",
                "A volume that held this owner's data would have to be made anew, and is not.",
                "Plan with the size and place that it has.",
            )
        self._taken_away(entry)
        return True

    def _taken_away(self, entry: EntryRow) -> None:
        """Before it is made anew, as what it was."""
        old, known = step_of(entry), outcome_of(entry) if entry.resource_id else None
        self._notes.undoing(entry.key)
        self._work.insist(lambda: self._work.doing(old).undo(old, known, self._work.scene))
        self._notes.gone(entry.key)

    def _done(self, step: Step, *, look: bool) -> None:
        doing, tries, position = self._work.doing(step), Tries(), self._positions[step.key]
        foreign = False
        while True:
            try:
                outcome = self._found(step, doing, foreign=foreign) if look or tries.look else None
                type = EventType.RESOURCE_ADOPTED
                if outcome is None:
                    entry = self._notes.intend(step, position)
                    if entry.attempts > MOST:
                        raise Conflict(
                            "step_exhausted",
                            "A step was begun again and again, and its provisioner never lived to see it done.",
                            "Look into the control plane's log, then retry.",
                        )
                    type = EventType.RESOURCE_CREATED
                    outcome = self._asked(step, doing)
                    type = EventType.RESOURCE_ADOPTED if outcome.adopted else type
                break
            except FrostbyteError as error:
                foreign = foreign or (error.code == "cloud_name_taken" and not (look or tries.look))
                pause = tries.pause(error)
                if pause is None:
                    raise
            self._work.rest(pause)
        if step.kind is not None and not outcome.resource_id:
            raise broken("it made something and does not say what")
        self._verify(step, outcome)
        self._notes.done(step, outcome, type)

    def _asked(self, step: Step, doing: Doing) -> Outcome:
        self._work.check()
        try:
            return doing.do(step, self._work.scene)
        except Exception as error:  # whatever was raised, it may have been made: that is noted, and the error goes on
            if step.kind is not None and getattr(error, "code", "") not in REFUSED:
                self._work.unsure()
            raise

    def _found(self, step: Step, doing: Doing, *, foreign: bool) -> Outcome | None:
        self._work.check()
        outcome = doing.find(step, self._work.scene)
        entry = self._notes.entry(step.key)
        if outcome is not None and entry is not None:
            self._allow(entry, outcome.resource_id, foreign=foreign)
            if entry.state is EntryState.UNDOING:  # wanted again
                self._notes.intend(step, self._positions[step.key], fresh=False)
        return outcome

    def _verify(self, step: Step, outcome: Outcome) -> None:
        """See that it is so. Raises as Work.insist."""
        self._work.insist(lambda: self._work.doing(step).verify(step, outcome, self._work.scene))
