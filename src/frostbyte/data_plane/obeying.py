"""The plane's side of the control channel: gives out nonces, acts on directives, and sees that the lease ends.

The lease is measured here, by a clock that only runs forward and counts a suspended host's time, from when the nonce
was given out; the directive may have been under way for long. What other processes go by stands in the store: until
when, by the store's clock. Clocks that jump are made good by `turn`, once a second: the store's lease is set right, or
ended, as soon as it differs from what was measured. Without this process nobody sets it right, and the store's lease
ends by itself; a new process ends it when it starts and has to be told again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from msgspec.structs import replace

from frostbyte.data_plane.gate import Gate
from frostbyte.data_plane.lifecycle.configuration import Configuration
from frostbyte.data_plane.standing import Change, obeyed, waits
from frostbyte.kernel.audit.checkpoint import add_signature, open_cosignature, public_key
from frostbyte.kernel.audit.events import EventType, make_event
from frostbyte.kernel.channel import PlaneStanding
from frostbyte.kernel.clock import Clock
from frostbyte.kernel.directive import DirectedConfig, Directive, NonceOld, open_directive
from frostbyte.kernel.errors import FrostbyteError, Invalid
from frostbyte.kernel.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from frostbyte.kernel.records import CosignatureRow, EventRow, PlaneStandingRow
from frostbyte.kernel.settings import Mode
from frostbyte.kernel.tenancy import config_from
from frostbyte.kernel.verifying_keys import PinnedKeys, read

ACTOR: Final = "control"
"""Who the log says it was: the control plane's own log says which operator."""
TURN_SECONDS: Final = 0.5
"""Between two looks at the store: how late a process learns of a standing that another one wrote."""
_APART_SECONDS: Final = 1.0
"""The store's lease may differ by so much from what was measured."""

Ticks = Callable[[], float]


def forward() -> float:
    """Seconds on a clock that is never set and goes on while the host sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def take_over(unit_of_work: UnitOfWorkFactory, clock: Clock, *, needs_lease: bool) -> PlaneStandingRow:
    """Begin anew as the process that decides about the lease: the one that there was is over.

    What the plane was told stands: a suspended plane that is started again is suspended.
    """
    with unit_of_work() as uow:
        row = replace(uow.standing.get(lock=True), needs_lease=needs_lease)
        uow.standing.put(row)
        uow.standing.grant(clock.now(), 0)
        uow.commit()
    return row


class Following:
    """Keeps the gate of a process that nobody talks to as the store says."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock, gate: Gate) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._gate = gate

    def turn(self) -> None:
        """Look once. Raises `database_unavailable`."""
        with self._unit_of_work() as uow:
            row, left = uow.standing.get(), uow.standing.lease_left(self._clock.now())
        self._gate.tell(row.state, waits(row, left), row.upkeep)


def keep_turning(turn: Callable[[], None], stop: threading.Event) -> None:
    """Turn until `stop` is set."""
    log = structlog.get_logger("frostbyte.channel")
    while not stop.wait(TURN_SECONDS):
        try:
            turn()
        except FrostbyteError as error:  # asked again; without the store nobody begins a job either
            log.warning("standing_waits", code=error.code)


class Obeying:
    """What a plane does about its control plane, in the one process that has the channel.

    Args:
        tenant_id: whose plane this is.
        unit_of_work: opens transactions.
        clock: for events and, where the store asks for it, leases.
        gate: told of each change at once.
        pinned: the verifying keys of the plane's installation.
        mode: how the plane was installed.
        needs_lease: whether jobs are begun only while a lease holds.
        log_key: the verifier key of the audit log.
        ticks: the clock that leases are measured by.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock,
        gate: Gate,
        pinned: PinnedKeys,
        mode: Mode,
        needs_lease: bool,
        log_key: str,
        ticks: Ticks = forward,
    ) -> None:
        self._tenant_id = tenant_id
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._gate = gate
        self._pinned = pinned
        self._mode = mode
        self._needs_lease = needs_lease
        self._log_key = log_key
        self._ticks = ticks
        self._configuration = Configuration(tenant_id, unit_of_work, clock)
        self._one = threading.Lock()
        self._nonce = secrets.token_urlsafe(24)
        self._given = ticks()
        self._lease_ends = self._given
        self._told_at: tuple[int, float] | None = None
        self._log = structlog.get_logger("frostbyte.channel")

    def begin(self) -> None:
        """Take over after another process: whatever lease there was is over. Raises `database_unavailable`."""
        with self._one:
            self._tell(take_over(self._unit_of_work, self._clock, needs_lease=self._needs_lease))

    def standing(self) -> PlaneStanding:
        """How the plane stands, with a fresh nonce. Raises `database_unavailable`."""
        with self._one:
            with self._unit_of_work() as uow:
                row, holds = uow.standing.get(), uow.holds.count()
            return self._answer(row, holds)

    def obey(self, text: str) -> PlaneStanding:
        """Act on a signed directive; when this returns, no job is begun any more that it forbids.

        Raises:
            Forbidden: `directive_signature_wrong`, `directive_foreign_tenant`.
            Invalid: `directive_malformed`, `control_keys_wrong`.
            Conflict: `directive_stale`, `plane_closed`, `tenant_held`.
            NonceOld: `directive_nonce`, with a fresh one.
            Unavailable: `database_unavailable`; nothing was done, and the same directive is good once more.
        """
        with self._one:
            with self._unit_of_work() as uow:
                before, holds = uow.standing.get(lock=True), uow.holds.count()
                change, directive = self._judged(text, before, holds)
                row = replace(change.row, config_version=self._configured(uow, before, directive.config))
                ends = self._given + directive.lease_seconds
                uow.standing.put(row)
                uow.standing.grant(self._clock.now(), max(0.0, ends - self._ticks()))
                if change.event is not None:
                    uow.audit.append(self._event(change.event, before, row))
                uow.commit()
            self._lease_ends = ends
            self._told_at = (directive.issued_at, self._ticks())
            self._tell(row)
            if change.event is not None:
                self._log.warning("standing_changed", state=row.state.value, version=row.version)
            return self._answer(row, holds)

    def cosigned(self, size: int, line: str) -> None:
        """Keep the ledger's cosignature beside a checkpoint.

        Raises:
            Invalid: `cosignature_wrong`.
        """
        line = line.rstrip("\n") + "\n"
        with self._unit_of_work() as uow:
            key = uow.standing.get().witness_key
            found = next(iter(uow.audit.checkpoints(after_size=size - 1, limit=1)), None)
            if found is None or found.size != size or not key or "\n" in line[:-1] or not _signs(found.note, line, key):
                raise Invalid(
                    "cosignature_wrong",
                    "This is no cosignature of a checkpoint of this plane by the witness that it was told of.",
                    "Send the line that the witness made for the checkpoint of exactly this size.",
                )
            uow.audit.add_cosignature(
                CosignatureRow(size=size, witness=public_key(key).name, line=line, created_at=self._clock.now())
            )
            uow.commit()

    def turn(self) -> None:
        """See that store and gate say what was measured. Raises `database_unavailable`."""
        with self._one:
            with self._unit_of_work() as uow:
                row, now = uow.standing.get(), self._clock.now()
                left = max(0.0, self._lease_ends - self._ticks())
                if row.needs_lease and self._apart(uow.standing.lease_left(now), left):
                    uow.standing.grant(now, left)
                    uow.commit()
            self._tell(row)

    @property
    def told_time(self) -> datetime | None:
        """The time by the control plane's clock, as the last directive said it; None before the first, and where it
        said none that there is."""
        told = self._told_at
        try:
            return None if told is None else datetime.fromtimestamp(told[0] + self._ticks() - told[1], UTC)
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def lease_left(self) -> float | None:
        """Seconds that the lease still holds; None for a plane that needs none."""
        return max(0.0, self._lease_ends - self._ticks()) if self._needs_lease else None

    @staticmethod
    def _apart(stored: float, left: float) -> bool:
        return (stored > 0) is not (left > 0) or abs(stored - left) > _APART_SECONDS

    def _judged(self, text: str, row: PlaneStandingRow, holds: int) -> tuple[Change, Directive]:
        """What the directive comes to, and what it says."""
        pinned = read(row.keys) if row.keys else self._pinned
        directive, kid = open_directive(text, pinned, self._tenant_id)
        try:
            change = obeyed(row, directive, self._nonce, self._clock.now(), holds=holds)
        except NonceOld:
            raise NonceOld(self._fresh()) from None
        if directive.keys:
            pinned.replaced(directive.keys, kid)
        return change, directive

    def _configured(self, uow: UnitOfWork, row: PlaneStandingRow, told: DirectedConfig | None) -> int:
        """Take a newer configuration; the number of the one that the plane has then.

        One that this plane cannot read is left, and the number that it answers says so: whether a tenant may run must
        not hang on that.
        """
        if told is None or told.version <= row.config_version:
            return row.config_version
        try:
            self._configuration.adopt(uow, config_from(told.values), actor=ACTOR)
        except Invalid as error:
            self._log.error("config_not_taken", code=error.code, version=told.version)
            return row.config_version
        return told.version

    def _event(self, type: EventType, before: PlaneStandingRow, after: PlaneStandingRow) -> EventRow:
        return make_event(
            self._tenant_id,
            type,
            self._clock,
            ACTOR,
            "tenant",
            self._tenant_id,
            {
                "old_version": before.version,
                "new_version": after.version,
                "from_state": before.state.value,
                "to_state": after.state.value,
            },
        )

    def _fresh(self) -> str:
        self._nonce, self._given = secrets.token_urlsafe(24), self._ticks()
        return self._nonce

    def _answer(self, row: PlaneStandingRow, holds: int) -> PlaneStanding:
        return PlaneStanding(
            tenant_id=self._tenant_id,
            version=row.version,
            state=row.state,
            nonce=self._fresh(),
            lease_seconds_left=self.lease_left,
            mode=self._mode.value,
            log_key=self._log_key,
            in_flight=self._gate.in_flight,
            config_version=row.config_version,
            holds=holds,
        )

    def _tell(self, row: PlaneStandingRow) -> None:
        self._gate.tell(row.state, waits(row, max(0.0, self._lease_ends - self._ticks())), row.upkeep)


def _signs(note: str, line: str, key: str) -> bool:
    """Whether the line is the witness's cosignature of the note."""
    try:
        return open_cosignature(add_signature(note.partition("\n\n")[0] + "\n\n", line), public_key(key)) is not None
    except Invalid:
        return False
