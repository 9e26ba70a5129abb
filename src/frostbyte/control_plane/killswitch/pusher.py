"""Tells every plane what it may do, and goes on telling it: the loop behind leases and the kill-switch.

One thread decides who is asked next (`pace`), three small groups of threads ask. A plane that hangs holds one thread of
the suspects until its channel gives up; nobody waits for it. An exchange is two requests: where the plane stands, which
brings a fresh nonce and so the whole lease, and the signed directive.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from frostbyte.control_plane.channel import PlaneChannel
from frostbyte.control_plane.killswitch import answers
from frostbyte.control_plane.killswitch.answers import Finding
from frostbyte.control_plane.killswitch.orders import order
from frostbyte.control_plane.killswitch.pace import THREADS, Lane, after, due_at, lane
from frostbyte.control_plane.killswitch.ports import Alarms, Channels, Sign, Standings
from frostbyte.control_plane.killswitch.roster import Entry, Roster
from frostbyte.control_plane.registry.records import StandingRow, TenantRow
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.directive import LONGEST, DirectedConfig, NonceOld
from frostbyte.kernel.errors import FrostbyteError
from frostbyte.kernel.records import PlaneState

TICK_SECONDS: Final = 0.25
"""How often it is looked who is due, when nobody rings."""
STORE_SECONDS: Final = 5.0
"""How often it is stored when planes last answered. What they acknowledged is stored at once."""
ALARMING: Final = frozenset(
    {
        "plane_foreign_tenant", "plane_certificate_wrong", "plane_answer_wrong", "plane_closed",
        "directive_signature_wrong", "directive_foreign_tenant", "directive_malformed", "directive_stale",
    }
)  # fmt: skip
"""Codes of failed exchanges that are no outage: something there is not as it should be."""
_OURS: Final = frozenset(ALARMING | set(answers.CODES))
CONFIG_BYTES: Final = LONGEST // 4
"""Of a configuration that is sent; as base64, with the keys beside it, it fits into a directive."""
_log = structlog.get_logger("frostbyte.pusher")


class NotBelieved(FrostbyteError):
    """The plane's answer contradicts what is known of it."""


class Pusher:
    """Keeps the planes of a roster told.

    Args:
        roster: whom to tell; filled by `Switch`.
        channels: the way to a plane.
        sign: signs what it is told.
        configs: a tenant's newest configuration.
        standings: where it is stored what planes acknowledged.
        alarms: where wrong answers go.
        clock: for the times that are stored.
        heard: called with a tenant after its plane's acknowledgement was stored.
        threads: of each group.
        draw: 0 to 1; spreads the planes' times.
    """

    def __init__(
        self,
        roster: Roster,
        *,
        channels: Channels,
        sign: Sign,
        configs: Callable[[TenantRow], DirectedConfig],
        standings: Standings,
        alarms: Alarms,
        clock: Clock,
        heard: Callable[[str], None],
        threads: dict[Lane, int] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.roster = roster
        self._channels, self._sign, self._configs = channels, sign, configs
        self._standings, self._alarms = standings, alarms
        self._clock, self._heard, self._draw = clock, heard, draw
        self._threads = dict(threads or THREADS)
        self._pools: dict[Lane, ThreadPoolExecutor] = {}
        self._busy: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._bell = threading.Event()
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._unstored: dict[str, StandingRow] = {}
        self._stored_at = time.monotonic()
        self.late_seconds = 0.0
        """How long the most overdue plane has waited for a thread."""

    def urge(self) -> None:
        """Look around now: somebody's orders have changed."""
        self._bell.set()

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop` is set."""
        self._pools = {
            each: ThreadPoolExecutor(count, thread_name_prefix=f"pusher-{each.value}")
            for each, count in self._threads.items()
        }
        try:
            while not stop.is_set():
                self.turn(time.monotonic())
                self._bell.wait(TICK_SECONDS)
                self._bell.clear()
        finally:
            for pool in self._pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
            self.store()

    def turn(self, now: float) -> int:
        """Hand out who is due to threads that are free, the longest overdue first; how many there were."""
        due = sorted(
            (at, entry.tenant.tenant_id)
            for entry in self.roster.all()
            if entry.told and not entry.busy and (at := due_at(entry.pace, entry.tenant.standing_version)) <= now
        )
        handed, late = 0, 0.0
        for at, tenant_id in due:
            entry = self.roster.get(tenant_id)
            if entry is None:
                continue
            where = lane(entry.pace, entry.tenant.standing_version)
            with self._lock:
                if self._busy[where] >= self._threads[where]:
                    late = max(late, now - at if at > 0 else 0.0)
                    continue
                self._busy[where] += 1
                entry.busy = True
            self._pools[where].submit(self._one, entry, where)
            handed += 1
        self.late_seconds = late
        if now - self._stored_at >= STORE_SECONDS:
            self.store()
        return handed

    def _one(self, entry: Entry, where: Lane) -> None:
        try:
            self.exchange(entry)
        except Exception as error:  # noqa: BLE001 - the loop goes on whatever one plane made of it
            _log.error("exchange_broke", error=type(error).__name__)
        finally:
            with self._lock:
                entry.busy = False
                self._busy[where] -= 1
            self._bell.set()

    def exchange(self, entry: Entry) -> bool:
        """Ask one plane and tell it; whether all went well. Raises nothing that an exchange can meet."""
        asked_at, version, code = time.monotonic(), entry.tenant.standing_version, ""
        try:
            self._exchange(entry)
        except FrostbyteError as error:
            code = error.code
            if code in ALARMING and version == entry.tenant.standing_version:
                self._ring(entry.tenant.tenant_id, Finding(code=code, expected="", came=code, believed=False))
        entry.pace = after(
            entry.pace,
            asked_at=asked_at,
            took=time.monotonic() - asked_at,
            version=version,
            failed=bool(code),
            jitter=self._draw(),
        )
        if code:
            if code != entry.standing.code:
                _log.warning("plane_not_told", code=code)
            self._note(entry, replace(entry.standing, code=code))
        return not code

    def _exchange(self, entry: Entry) -> None:
        tenant, endpoints = entry.tenant, entry.endpoints
        wanted = order(tenant)
        if endpoints is None or wanted is None:
            return
        channel = self._channels(endpoints)
        answer = channel.standing()
        wrong = answers.asked(entry.tenant, endpoints, entry.standing.acknowledged_version, answer, entry.nonces)
        self._believe(tenant.tenant_id, wrong)
        entry.nonces.append(answer.nonce)
        if answer.state is PlaneState.CLOSED is wanted:  # for good: it takes no further word, and needs none
            self._acknowledged(entry, tenant.standing_version, answer.holds)
            return
        # With the next lease: what changes the state brings nothing that could be in its way.
        due = answer.state is wanted and answer.config_version < tenant.config_version
        config = self._config(tenant) if due else None
        answer = self._tell(channel, tenant, wanted, answer.nonce, config)
        late = answers.told(
            *(entry.tenant, endpoints, tenant.standing_version, wanted, answer, entry.nonces),
            config_version=config.version if config is not None else 0,
        )
        self._believe(tenant.tenant_id, late)
        entry.nonces.append(answer.nonce)
        if not wrong:
            behind = answer.config_version < tenant.config_version
            self._settle(tenant.tenant_id, _OURS - {"config_not_taken"} if behind else _OURS)
        self._acknowledged(entry, answer.version, answer.holds)

    def _config(self, tenant: TenantRow) -> DirectedConfig | None:
        """What the plane has not got yet. Without the database it waits: the lease does not.

        One that would make the directive too long is not sent: the plane would refuse the lease with it.
        """
        try:
            config = self._configs(tenant)
        except FrostbyteError as error:
            _log.warning("config_waits", code=error.code)
            return None
        size = len(msgspec.json.encode(config))
        if size > CONFIG_BYTES:
            expected, came = f"at most {CONFIG_BYTES} bytes", f"{size} bytes"
            self._ring(tenant.tenant_id, Finding(code="config_not_taken", expected=expected, came=came, believed=True))
            return None
        return config

    def _tell(
        self,
        channel: PlaneChannel,
        tenant: TenantRow,
        wanted: PlaneState,
        nonce: str,
        config: DirectedConfig | None,
    ) -> PlaneStanding:
        """Once more where somebody else asked the plane in between: that took its nonce away."""
        try:
            return channel.put(self._sign(tenant, wanted, nonce, config))
        except NonceOld as newer:
            return channel.put(self._sign(tenant, wanted, newer.nonce, config))

    def _believe(self, tenant_id: str, findings: list[Finding]) -> None:
        for finding in findings:
            self._ring(tenant_id, finding)
        refused = next((finding for finding in findings if not finding.believed), None)
        if refused is not None:
            raise NotBelieved(refused.code, "The plane's answer contradicts what is known of it.", "See the alarm.")

    def _acknowledged(self, entry: Entry, version: int, holds: int) -> None:
        moved = (version, holds) != (entry.standing.acknowledged_version, entry.standing.holds)
        self._note(
            entry,
            StandingRow(
                tenant_id=entry.tenant.tenant_id,
                acknowledged_version=version,
                acknowledged_at=self._clock.now(),
                code="",
                holds=holds,
            ),
        )
        if moved:
            self.store()

    def _note(self, entry: Entry, standing: StandingRow) -> None:
        self.roster.note(standing.tenant_id, standing)
        with self._lock:
            self._unstored[standing.tenant_id] = standing

    def store(self) -> None:
        """Store what planes said since the last time. Where the database is away it is tried again with the next."""
        with self._storing:  # one after the other: an older row must not overtake a newer one
            with self._lock:
                rows, self._unstored = self._unstored, {}
                self._stored_at = time.monotonic()
            if not rows:
                return
            try:
                changed = self._standings.put(list(rows.values()))
            except FrostbyteError as error:
                _log.warning("standings_not_stored", code=error.code)
                with self._lock:
                    self._unstored = rows | self._unstored
                return
        for tenant_id in changed:
            try:
                self._heard(tenant_id)
            except FrostbyteError as error:  # whoever waits for it looks again by itself
                _log.warning("not_heard", code=error.code)

    def _ring(self, tenant_id: str, finding: Finding) -> None:
        try:
            self._alarms.ring(tenant_id, finding.code, expected=finding.expected, came=finding.came)
        except FrostbyteError as error:
            _log.warning("alarm_not_stored", code=error.code)

    def _settle(self, tenant_id: str, codes: Collection[str]) -> None:
        """What was wrong with its answers is not so any more."""
        try:
            self._alarms.settle(tenant_id, codes)
        except FrostbyteError as error:
            _log.warning("alarm_not_stored", code=error.code)
