"""Whoever has a scanner tells the plane's database how old its signatures are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from socket import gethostname

import structlog

from frostbyte.bootstrap import stores
from frostbyte.data_plane.freshness import TOLD_SECONDS
from frostbyte.kernel.clock import Clock, SystemClock
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.ports.scanner import Scanner
from frostbyte.kernel.ports.unit_of_work import UnitOfWork
from frostbyte.kernel.settings import Settings

Begin = Callable[[], AbstractContextManager[UnitOfWork]]
_log = structlog.get_logger("frostbyte.scanner")


class Sighting:
    """Asks a scanner again and again, and writes down what it says. One that does not answer is not written down.

    Args:
        part: of the plane that asks: `gateway`, `worker`; its host's name is added.
    """

    def __init__(self, scanner: Scanner, unit_of_work: Begin, clock: Clock, part: str) -> None:
        self._scanner, self._unit_of_work, self._clock = scanner, unit_of_work, clock
        self._name = f"{part}@{gethostname()}"[:200]

    def turn(self) -> None:
        """Ask and write once. Raises what the scanner and the database say."""
        made_at = self._scanner.signatures_made_at()
        with self._unit_of_work() as uow:
            uow.scanners.saw(self._name, made_at, self._clock.now())
            uow.commit()

    def run(self, stop: threading.Event) -> None:
        """Until the event is set; what cannot be told now is told with the next turn."""
        while True:
            try:
                self.turn()
            except FrostbyteError as error:
                _log.warning("signatures_not_told", code=error.code)
            if stop.wait(TOLD_SECONDS):
                return


def of_worker(settings: Settings) -> Sighting | None:
    """What a worker's first process tells, which does no stages; None where nothing is scanned.

    It keeps no connection: processes are forked from it, and none of them may share one.
    """
    scanner, _ = stores.scanner(settings)
    if scanner.stand_in:
        return None
    return Sighting(scanner, lambda: _once(settings), SystemClock(), "worker")


@contextmanager
def _once(settings: Settings) -> Iterator[UnitOfWork]:
    store = stores.joined_database(settings, 1)
    try:
        with store.unit_of_work() as uow:
            yield uow
    finally:
        store.close()
