"""Following all planes: who is pulled when, by how many threads, and who has been silent.

Each plane has a time when it is due. It is pulled by whichever thread is free, so one that answers slowly costs its
thread and nobody's turn; one that fails is left alone longer and longer, so many dead planes cannot take all threads.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from frostbyte.control_plane.ledger.keeping import Keeping
from frostbyte.control_plane.ledger.ports import LedgerStore
from frostbyte.control_plane.ledger.pull import Followed, Pulled, Puller, Source
from frostbyte.control_plane.ledger.records import Finding, StandingRow
from frostbyte.control_plane.ledger.verify import Problem
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.errors import FrostbyteError

INTERVAL_SECONDS: Final = 10.0
"""Between two pulls of a plane that is up to date. Each pull that finds events stores a state of about 1 KiB."""

LONGEST_PAUSE: Final = 120.0
"""Seconds that a failing or stopped plane is left alone at most; below `SILENCE`, so that an outage is tried often."""

SILENCE: Final = timedelta(minutes=5)
"""Without an answer for so long, an active plane is silent."""

WORKERS: Final = 32
"""Planes pulled at once. A thread mostly waits for its plane."""

LISTED_SECONDS: Final = 5.0
"""How often the registry is asked which planes there are, and standings are written."""

ALERTS: Final = 20_000
"""Open alerts looked at: two for each of ten thousand tenants."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How following one plane goes, for status and metrics."""

    plane: Followed
    row: StandingRow
    size: int
    finding: Finding | None


class Follower:
    """Follows all planes.

    Args:
        store: where standings are kept.
        keeping: raises and ends silences.
        puller: pulls one plane.
        planes: which planes there are now.
        source: the channel of a plane. Raises FrostbyteError where it cannot be had.
        clock: for what is told to people.
        workers: planes pulled at once.
        interval: seconds between two pulls of a plane that is up to date.
    """

    def __init__(
        self,
        store: LedgerStore,
        keeping: Keeping,
        puller: Puller,
        planes: Callable[[], Sequence[Followed]],
        source: Callable[[str], Source],
        clock: Clock,
        *,
        workers: int = WORKERS,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._store, self._keeping, self._puller = store, keeping, puller
        self._planes, self._source, self._clock = planes, source, clock
        self._workers, self._interval = workers, interval
        self._began = clock.now()
        self._lock = threading.Lock()
        self._due: list[tuple[float, str]] = []
        self._when: dict[str, float] = {}
        self._known: dict[str, Followed] = {}
        self._busy: set[str] = set()
        self._failures: dict[str, int] = {}
        self._standings: dict[str, Standing] = {}
        self._unwritten: set[str] = set()
        self._logs: dict[int, StandingRow] = {}
        self.trouble = ""
        """Code of the error that following itself met last; '' while all is well."""

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set. Pulls under way are ended with the step that they are at."""
        self._recall()
        listed = 0.0
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="ledger") as pool:
            while not stop.is_set():
                if time.monotonic() - listed > LISTED_SECONDS:
                    listed = time.monotonic()
                    self._tend()
                while len(running) < self._workers and (tenant_id := self._take()):
                    running.add(pool.submit(self._turn, tenant_id))
                if running:
                    done, running = wait(running, timeout=0.05, return_when=FIRST_COMPLETED)
                    if any(future.exception() is not None for future in done):
                        self.trouble = "internal_error"  # the plane is tried again after the longest pause
                if not running or len(running) >= self._workers:
                    stop.wait(0.05)
        self._tend()

    def pull_now(self, tenant_id: str) -> Pulled | None:
        """Pull one plane at once, whether due or not; None where it is not followed or being pulled already.

        Raises:
            FrostbyteError: the store's and the channel's.
        """
        self._list()
        plane = self._known.get(tenant_id)
        with self._lock:
            if plane is None or tenant_id in self._busy:
                return None
            self._busy.add(tenant_id)
        try:
            while (pulled := self._pull(plane)).more:
                pass
            return pulled
        finally:
            with self._lock:
                self._busy.discard(tenant_id)

    def retry(self, tenant_id: str) -> None:
        """Have the plane pulled at the next turn: an operator has acknowledged what stopped it."""
        with self._lock:
            self._failures.pop(tenant_id, None)
            self._plan(tenant_id, 0.0)

    def standings(self) -> list[Standing]:
        """How it goes, by tenant."""
        with self._lock:
            return [self._standings[tenant_id] for tenant_id in sorted(self._standings)]

    def _recall(self) -> None:
        """What was known when the process ended."""
        try:
            with self._store.unit_of_work() as uow:
                self._logs = {row.log_id: row for row in uow.standings()}
        except FrostbyteError as error:
            self.trouble = error.code

    def _tend(self) -> None:
        try:
            self._list()
            self._watch()
            self._write()
            self.trouble = ""
        except FrostbyteError as error:
            self.trouble = error.code

    def _list(self) -> None:
        """Learn which planes there are."""
        planes = {plane.tenant_id: plane for plane in self._planes()}
        with self._lock:
            for tenant_id in planes.keys() - self._known.keys():
                # Spread over an interval, so that a start does not ask all planes in the same moment each time.
                self._plan(tenant_id, self._interval * random.random() if self._known else 0.0)  # noqa: S311
            self._known = planes
            self._standings = {
                tenant_id: replace(standing, plane=planes[tenant_id])
                for tenant_id, standing in self._standings.items()
                if tenant_id in planes
            }

    def _take(self) -> str:
        """The plane that has been due longest; '' for none."""
        with self._lock:
            while self._due and self._due[0][0] <= time.monotonic():
                moment, tenant_id = heapq.heappop(self._due)
                if tenant_id in self._known and self._when.get(tenant_id) == moment and tenant_id not in self._busy:
                    self._busy.add(tenant_id)
                    return tenant_id
        return ""

    def _plan(self, tenant_id: str, pause: float) -> None:
        """Make the plane due then, and at no other time."""
        self._when[tenant_id] = time.monotonic() + pause
        heapq.heappush(self._due, (self._when[tenant_id], tenant_id))

    def _turn(self, tenant_id: str) -> None:
        pause = LONGEST_PAUSE
        try:
            plane = self._known.get(tenant_id)
            if plane is not None:
                pause = self._pause(tenant_id, self._pull(plane))
        except FrostbyteError as error:  # the store's
            self.trouble = error.code
            pause = self._interval
        finally:
            with self._lock:
                self._busy.discard(tenant_id)
                self._plan(tenant_id, pause)

    def _pull(self, plane: Followed) -> Pulled:
        """Pull it and note how that went. Raises FrostbyteError: the store's."""
        try:
            source = self._source(plane.tenant_id)
        except FrostbyteError as error:
            state = self._keeping.state(plane.tenant_id, plane.log_key)
            pulled = Pulled(log_id=state.log.log_id, size=state.verified.size, finding=state.stopped, code=error.code)
        else:
            pulled = self._puller.pull(plane, source)
        self._note(plane, pulled)
        return pulled

    def _pause(self, tenant_id: str, pulled: Pulled) -> float:
        """Seconds until the plane is due again."""
        if not pulled.code and pulled.finding is None:
            self._failures.pop(tenant_id, None)
            return 0.0 if pulled.more else self._interval
        failures = self._failures[tenant_id] = self._failures.get(tenant_id, 0) + 1
        return min(LONGEST_PAUSE, self._interval * 2.0 ** min(failures - 1, 10))

    def _note(self, plane: Followed, pulled: Pulled) -> None:
        now = self._clock.now()
        before = self._standings.get(plane.tenant_id)
        known = before.row if before else self._logs.get(pulled.log_id)
        row = StandingRow(
            log_id=pulled.log_id,
            heard_at=now if pulled.heard else (known.heard_at if known else None),
            current_at=now
            if pulled.heard and pulled.size >= pulled.plane_size and pulled.finding is None
            else (known.current_at if known else None),
            plane_size=pulled.plane_size or (known.plane_size if known else 0),
            code=pulled.code,
        )
        with self._lock:
            self._standings[plane.tenant_id] = Standing(plane=plane, row=row, size=pulled.size, finding=pulled.finding)
            self._unwritten.add(plane.tenant_id)

    def _watch(self) -> None:
        """Raise and end silences."""
        now = self._clock.now()
        with self._store.unit_of_work() as uow:
            open_ones = uow.alerts(open_only=True, limit=ALERTS)
            silent = {item.row.log_id for item in open_ones if item.row.finding is Finding.SILENCE}
            changed = [item for item in self.standings() if self._is_silent(item, now) != (item.row.log_id in silent)]
            logs = {log.log_id: log for item in changed for log in uow.logs(item.plane.tenant_id)}
        for standing in changed:
            log = logs[standing.row.log_id]
            if standing.row.log_id in silent:
                self._keeping.answered(log)
            else:
                self._keeping.raise_alert(log, standing.size, _silence(standing))

    def _is_silent(self, standing: Standing, now: datetime) -> bool:
        """An answer counts from when this process began: after an outage of its own the ledger blames nobody."""
        if not standing.plane.active or standing.finding is not None:
            return False
        return now - max(standing.row.heard_at or self._began, self._began) > SILENCE

    def _write(self) -> None:
        with self._lock:
            rows = [self._standings[tenant_id].row for tenant_id in self._unwritten if tenant_id in self._standings]
            self._unwritten.clear()
        if rows:
            with self._store.unit_of_work() as uow:
                uow.put_standings(sorted(rows, key=lambda row: row.log_id))
                uow.commit()


def _silence(standing: Standing) -> Problem:
    return Problem(
        finding=Finding.SILENCE,
        position=standing.row.plane_size,
        message=f"the plane has not shown its newest checkpoint for {int(SILENCE.total_seconds())} seconds",
        evidence=f"last answer: {standing.row.heard_at}\nlast error: {standing.row.code or '-'}\n".encode(),
    )
