"""The right to go on with a run: held by one provisioner, kept alive while it works, checked before every call.

A lease is longer than any call, and no call begins that could outlast it. So a provisioner that was cut off from the
journal has ended its last call before another may take the run, and after that it can write nothing: its fence is old.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import structlog
from msgspec.structs import replace

from frostbyte.control_plane.provisioning.journal import RunRow, RunState
from frostbyte.control_plane.provisioning.ports import ProvisioningFactory
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

LEASE_SECONDS: Final = 900.0
LONGEST_CALL_SECONDS: Final = 600.0
"""What a doing may take for one call: a server that is made, a host that boots, services that become healthy."""
BEAT_SECONDS: Final = 30.0
_log = structlog.get_logger("frostbyte.provisioner")


class Interrupted(Exception):
    """This provisioner stops here; the run goes on where it is, with the next one that takes it."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things are waited for.

    Attributes:
        threads: steps of one run that are done at once: more than a tenant has servers.
        late_seconds: the longest a request to a cloud is waited for. What a lost reply made is there after that.
        pause: waits so many seconds, or until the event is set.
    """

    threads: int = 12
    late_seconds: float = 120.0
    pause: Callable[[threading.Event, float], object] = threading.Event.wait


class Lease:
    """A run that was taken. Use it as a context: within, a thread keeps it alive.

    Args:
        unit_of_work: of the journal.
        clock: for the moment until which it is held.
        run: as `Journal.take` gave it.
        taken_at: `time.monotonic()` before it was taken.
        stop: set when the process ends.
    """

    def __init__(
        self, unit_of_work: ProvisioningFactory, clock: Clock, run: RunRow, taken_at: float, stop: threading.Event
    ) -> None:
        self._unit_of_work, self._clock, self._run = unit_of_work, clock, run
        self._until = taken_at + LEASE_SECONDS
        self._stop, self._over, self._lost = stop, threading.Event(), False
        self._beats = threading.Thread(target=self._keep, name=f"lease-{run.run_id}", daemon=True)

    @classmethod
    def take(
        cls, unit_of_work: ProvisioningFactory, clock: Clock, run: RunRow, holder: str, stop: threading.Event
    ) -> tuple[RunRow, Self] | None:
        """Take a run; None while another holds it. Raises Unavailable("database_unavailable")."""
        before, now = time.monotonic(), clock.now()
        with unit_of_work() as uow:
            taken = uow.journal.take(run.run_id, holder, now, now + timedelta(seconds=LEASE_SECONDS))
            uow.commit()
        return None if taken is None else (taken, cls(unit_of_work, clock, taken, before, stop))

    def check(self) -> None:
        """Before every call. Raises Interrupted where the call could outlast the lease, and at the process's end."""
        if self._lost or self._stop.is_set() or time.monotonic() + LONGEST_CALL_SECONDS > self._until:
            raise Interrupted

    def stopped(self) -> bool:
        """Whether a call that is under way should end as soon as that is safe."""
        return self._lost or self._stop.is_set()

    def beat(self) -> None:
        """Hold it longer. That it is lost is found out with the next check."""
        before = time.monotonic()
        try:
            with self._unit_of_work() as uow:
                until = self._clock.now() + timedelta(seconds=LEASE_SECONDS)
                held = uow.journal.beat(self._run.run_id, self._run.fence, until)
                uow.commit()
        except FrostbyteError as error:  # it is held a while yet
            _log.warning("lease_not_renewed", code=error.code)
            return
        if held:
            self._until = before + LEASE_SECONDS
        else:
            self._lost = True

    def _keep(self) -> None:
        while not self._over.wait(BEAT_SECONDS) and not self._lost:
            self.beat()

    def __enter__(self) -> Self:
        self._beats.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if kind is None or issubclass(kind, Interrupted):
            self._release()

    def _release(self) -> None:
        """Give it back, so that the next one need not wait. What cannot be given back runs out."""
        try:
            with self._unit_of_work() as uow:
                row = uow.journal.run(self._run.run_id)
                if row is not None and row.state is RunState.RUNNING and row.fence == self._run.fence and row.holder:
                    uow.journal.put_run(replace(row, holder="", leased_until=None))
                    uow.commit()
        except FrostbyteError as error:
            _log.warning("lease_not_released", code=error.code)
