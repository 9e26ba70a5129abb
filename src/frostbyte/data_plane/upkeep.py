"""What a plane does while it is updated: it takes nothing new, finishes what it began, and lets its log stand still.

    close    questions are answered, nothing is taken, decided or begun
    drain    what was begun ends, or its lease does
    freeze   nothing is written down any more, and the log is numbered and signed to its end
    open     everything is taken again; the log says that the plane was updated

Whoever updates copies the database while the plane is frozen. Until the plane is opened, that copy can take the place
of whatever was made of it: no receipt was given and no checkpoint signed in between. Nothing here knows of hosts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.channel import PlaneUpkeep
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import Unavailable
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import Upkeep

ACTOR: Final = "plane"
LOOK_SECONDS: Final = 0.1
"""Between two looks while somebody waits."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plane has come with standing still, and what it holds.

    Attributes:
        upkeep: what it takes.
        documents: by state.
        jobs: that wait, by stage; and dead ones.
        config_version: of the configuration in force; 0 for the defaults.
        leases: jobs that somebody is at.
        unnumbered: whether events wait for their place in the log.
        log_size: events that have one.
        checkpoint_size: how many of them the latest checkpoint vouches for.
        root: of that checkpoint, hexadecimal; '' before the first.
    """

    upkeep: Upkeep
    documents: dict[str, int]
    jobs: dict[str, int]
    config_version: int
    leases: int
    unnumbered: bool
    log_size: int
    checkpoint_size: int
    root: str

    def differs(self, other: State) -> list[str]:
        """Names of what another state says otherwise, but for what the plane takes."""
        mine, others = msgspec.to_builtins(self), msgspec.to_builtins(other)
        return [name for name, value in mine.items() if name != "upkeep" and value != others[name]]

    @property
    def settled(self) -> bool:
        """Whether every event is in the log and vouched for."""
        return not self.unnumbered and self.checkpoint_size == self.log_size


class UpkeepDesk:
    """Opens and closes a plane for whoever works on it.

    Args:
        tenant_id: whose plane this is.
        unit_of_work: opens transactions.
        clock: for the event, and for leases where the store asks for it.
        sequence: numbers and signs what waits, once; None where somebody else does.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        sequence: Callable[[], object] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._sequence = sequence
        self._sleep = sleep

    def state(self) -> State:
        """As it is now. Raises `database_unavailable`."""
        with self._unit_of_work() as uow:
            return self._state(uow)

    def close(self) -> State:
        """Take nothing new from now on. A frozen plane stays frozen."""
        with self._unit_of_work() as uow:
            if uow.standing.get(lock=True).upkeep is Upkeep.OPEN:
                uow.standing.keep(Upkeep.READING)
            uow.commit()
        return self.state()

    def drain(self, seconds: float, others: Callable[[], int] = lambda: 0) -> State:
        """Wait until nobody is at a job and no request writes.

        Args:
            seconds: how long at most.
            others: how many requests that change something are being answered.

        Raises:
            Unavailable: `plane_busy`: somebody still is. What is begun then is done again later: its lease runs out.
        """
        ends = time.monotonic() + seconds
        while True:
            state, writing = self.state(), others()
            if not state.leases and not writing:
                return state
            if time.monotonic() >= ends:
                raise Unavailable(
                    "plane_busy",
                    f"After {seconds:.0f} s {state.leases} jobs and {writing} requests are still under way.",
                    "Wait longer, or go on: what is cut off is done again when the plane is open.",
                )
            self._sleep(LOOK_SECONDS)

    def freeze(self, seconds: float) -> State:
        """Write nothing down from now on, and bring the log to its end: everything numbered, and signed.

        Args:
            seconds: how long to wait for the log at most.

        Raises:
            Unavailable: `checkpoint_pending`: the log is not at its end. The plane is frozen all the same.
        """
        state = self.still()
        ends = time.monotonic() + seconds
        while not state.settled:
            if self._sequence is not None:
                self._sequence()
                if (state := self.state()).settled:
                    continue
            if time.monotonic() >= ends:
                raise Unavailable(
                    "checkpoint_pending",
                    f"The log has no checkpoint of its end after {seconds:.0f} s.",
                    "See that the gateway runs and its log's key is there, then freeze again; or open the plane.",
                )
            self._sleep(LOOK_SECONDS)
            state = self.state()
        return state

    def still(self) -> State:
        """Write nothing down from now on. The log comes to its end a moment later: see `State.settled`."""
        with self._unit_of_work() as uow:
            uow.standing.keep(Upkeep.FROZEN)
            uow.commit()
        return self.state()

    def open(self, updated_to: str = "") -> State:
        """Take everything again.

        Args:
            updated_to: what the plane became, where it was updated: a version, or what was exchanged. The log says so
                in the same moment; '' where everything is as it was.
        """
        with self._unit_of_work() as uow:
            was = uow.standing.get(lock=True).upkeep
            uow.standing.keep(Upkeep.OPEN)
            if was is not Upkeep.OPEN and updated_to:
                details: dict[str, Any] = {"pipeline_version": updated_to}
                uow.audit.append(
                    make_event(
                        self._tenant_id,
                        EventType.TENANT_UPDATED,
                        self._clock,
                        ACTOR,
                        "tenant",
                        self._tenant_id,
                        details,
                    )
                )
            uow.commit()
        return self.state()

    def keep(self, upkeep: Upkeep, updated_to: str = "") -> State:
        """Close, freeze or open it, without waiting for its log."""
        if upkeep is Upkeep.OPEN:
            return self.open(updated_to)
        return self.still() if upkeep is Upkeep.FROZEN else self.close()

    def _state(self, uow: UnitOfWork) -> State:
        checkpoint, config = uow.audit.latest_checkpoint(), uow.configs.latest()
        documents: dict[str, int] = {}
        for tally in uow.documents.tally():
            documents[tally.state.value] = documents.get(tally.state.value, 0) + tally.count
        return State(
            upkeep=uow.standing.get().upkeep,
            documents=documents,
            jobs=uow.jobs.counts(),
            config_version=config.version if config else 0,
            leases=uow.jobs.leased(self._clock.now()),
            unnumbered=bool(uow.audit.unsequenced(1)),
            log_size=uow.audit.log_size(),
            checkpoint_size=checkpoint.size if checkpoint else 0,
            root=checkpoint.root.hex() if checkpoint else "",
        )


def told(state: State, writing: int, version: str, parts: dict[str, str]) -> PlaneUpkeep:
    """The state as the control plane is told it.

    Args:
        writing: requests that change something and are being answered.
        version: of Frostbyte.
        parts: what was tried, and what it said.
    """
    return PlaneUpkeep(
        upkeep=state.upkeep,
        documents=state.documents,
        jobs=state.jobs,
        config_version=state.config_version,
        leases=state.leases,
        writing=writing,
        settled=state.settled,
        log_size=state.log_size,
        checkpoint_size=state.checkpoint_size,
        root=state.root,
        version=version,
        parts=parts,
    )
