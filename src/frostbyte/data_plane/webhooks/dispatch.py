"""What carries deliveries while the plane runs: a loop that claims, and a thread for each webhook.

No webhook has more than one attempt under way, and there are as many threads as webhooks: a server that never answers
keeps only its own messages waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from frostbyte.data_plane.webhooks import patience
from frostbyte.data_plane.webhooks.delivery import Delivery
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.unit_of_work import UnitOfWorkFactory
from frostbyte.kernel.webhooks.records import DeliveryRow, Fate

TURN_SECONDS: Final = 1.0
"""Between two looks for what is due."""
LEASE_SECONDS: Final = 60.0
"""After so long an attempt is given up for lost: longer than any attempt takes."""
THREADS: Final = 10
KEPT_DAYS: Final = {Fate.DELIVERED: 7, Fate.DEAD: 30}
"""How long what has ended is shown."""
_FORGET_SECONDS: Final = 3600.0


class Dispatch:
    """Claims what is due and has it delivered.

    Args:
        delivery: makes attempts.
        waits: whether the plane begins nothing now: it is suspended, has no lease, or is being worked on.
        lease_seconds, turn_seconds: see LEASE_SECONDS, TURN_SECONDS.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        delivery: Delivery,
        waits: Callable[[], bool],
        *,
        lease_seconds: float = LEASE_SECONDS,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._delivery = delivery
        self._waits = waits
        self._lease_seconds = lease_seconds
        self._turn_seconds = turn_seconds
        self._busy: set[UUID] = set()
        self._lock = threading.Lock()
        self._log = structlog.get_logger("frostbyte.webhooks")

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set. What is under way then ends, or is done again after the next start."""
        forgotten = 0.0
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        try:
            while not stop.wait(self._turn_seconds):
                try:
                    for row in self.claimed():
                        pool.submit(self._carry, row)
                    forgotten += self._turn_seconds
                    if forgotten >= 0 and not self._waits():
                        self.forget()
                        forgotten = -_FORGET_SECONDS
                except FrostbyteError as error:  # nothing is lost: asked again
                    self._log.warning("webhooks_wait", code=error.code)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def turn(self) -> int:
        """Claim what is due and make those attempts, one after the other; how many."""
        rows = self.claimed()
        for row in rows:
            self._carry(row)
        return len(rows)

    def claimed(self) -> list[DeliveryRow]:
        """What is due, begun and counted: at most one of each webhook that is not busy."""
        if self._waits():
            return []
        now = self._clock.now()
        with self._unit_of_work(reading=True) as uow:  # mostly there is none, and that takes no transaction
            if not uow.webhooks.all():
                return []
        with self._lock:
            busy = set(self._busy)
        with self._unit_of_work() as uow:
            rows = uow.webhooks.claim(now, now + timedelta(seconds=self._lease_seconds), busy, THREADS)
            uow.commit()
        with self._lock:
            self._busy |= {row.webhook_id for row in rows}
        return rows

    def forget(self) -> None:
        """Remove what ended long ago."""
        now = self._clock.now()
        with self._unit_of_work() as uow:
            for state, days in KEPT_DAYS.items():
                uow.webhooks.forget(state, now - timedelta(days=days))
            uow.commit()

    def _carry(self, row: DeliveryRow) -> None:
        try:
            if row.attempts > patience.attempts(row.kind):  # the last attempt was begun, and nobody knows how it ended
                ended = self._delivery.give_up(row, code="webhook_lost")
            else:
                ended = self._delivery.attempt(row)
            self._log.info("webhook_attempt", status=ended.state.value, code=ended.code, attempt=ended.attempts)
        except FrostbyteError as error:  # not written down: made again when its lease has run out
            self._log.warning("webhooks_wait", code=error.code)
        finally:
            with self._lock:
                self._busy.discard(row.webhook_id)
