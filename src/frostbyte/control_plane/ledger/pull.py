"""Pulling: what one plane shows is fetched, verified, stored, cosigned and the cosignature handed back.

    checkpoints from the verified size on -> judged
    events up to the largest of them within a step -> judged
    one transaction: events, new edge, checkpoint with our cosignature
    only then the cosignature is given to the plane

A pull begins with the stored state and ends with it, so it may be killed anywhere: what was committed is not asked for
again, what was not is asked for again. Two pulls of one log at once do no harm: the second finds that the log moved on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from frostbyte.control_plane.ledger.keeping import Keeping, State
from frostbyte.control_plane.ledger.lines import Found, read_page
from frostbyte.control_plane.ledger.records import Finding, LogRow
from frostbyte.control_plane.ledger.verify import (
    Point,
    Problem,
    Step,
    judge_checkpoints,
    judge_events,
    rewritten,
    step_end,
    too_far,
)
from frostbyte.kernel.audit.checkpoint import PublicKey, public_key
from frostbyte.kernel.errors import FrostbyteError

ASKED: Final = 10_000
"""Events asked for in one request: the most that a plane answers."""

MAX_STEP_BYTES: Final = 256 << 20
"""Bytes of one step's events at most: ten thousand events of 26 KiB; real ones have under 1 KiB."""

STEPS_A_TURN: Final = 8
"""Steps of one plane before the others have their turn."""

REREAD: Final = 1_000_000
"""Events of the past that are read again to find out whether they were rewritten, the newest of them."""


class Checkpoints(Protocol):
    """What a plane shows of its checkpoints."""

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Notes, smallest first."""
        ...

    @property
    def latest(self) -> str | None:
        """The newest; None for an empty log."""
        ...


class Source(Protocol):
    """The part of a plane's control channel that the ledger needs; an export on disk is one too."""

    def events(self, after: int, limit: int) -> bytes:
        """Export lines of events numbered above `after`; fewer may come."""
        ...

    def checkpoints(self, after_size: int) -> Checkpoints:
        """Checkpoints over more than `after_size` events."""
        ...

    def cosign(self, size: int, line: str) -> None:
        """Leave a cosignature beside the checkpoint of that size; twice is once."""
        ...


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A plane whose log is followed."""

    tenant_id: str
    log_key: str
    active: bool
    """Whether it has to answer."""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull came to."""

    log_id: int
    events: int = 0
    """Verified and stored by it."""
    size: int = 0
    """Of the verified log afterwards."""
    plane_size: int = 0
    """Of the plane's newest checkpoint; 0 where none was seen."""
    heard: bool = False
    """Whether the plane answered with its checkpoints."""
    more: bool = False
    """Whether there is more to pull at once."""
    finding: Finding | None = None
    """What stops the log, found now or before."""
    code: str = ""
    """Of the error that ended the pull; '' for none."""


class Puller:
    """Pulls one plane at a time; threads may share it.

    Args:
        keeping: the ledger's records.
        judging: planes whose events are judged and stored at once, in this process. Others may fetch meanwhile; it
            bounds memory (about 50 MiB each) more than it costs speed.
    """

    def __init__(self, keeping: Keeping, *, judging: int = 4) -> None:
        self._keeping = keeping
        self._judging = threading.BoundedSemaphore(judging)
        self._handed: dict[int, int] = {}
        self.fetched: Callable[[str], None] = lambda tenant_id: None
        """Called between fetching and storing: tests stop a pull there."""

    def pull(self, plane: Followed, source: Source) -> Pulled:
        """Pull until the plane is up to date, or for a turn. Raises nothing of the plane's: the result says it."""
        state = self._keeping.state(plane.tenant_id, plane.log_key)
        if state.stopped is not None:
            return Pulled(log_id=state.log.log_id, size=state.verified.size, finding=state.stopped)
        turn = _Turn(self._keeping, state, public_key(plane.log_key), source)
        try:
            if turn.look():
                self._go(turn, plane.tenant_id)
            self._hand_over(turn, source)
        except FrostbyteError as error:
            return turn.result(error.code)
        return turn.result("")

    def _go(self, turn: _Turn, tenant_id: str) -> None:
        for _ in range(STEPS_A_TURN):
            if not turn.points:
                return
            end, data = turn.fetch()
            self.fetched(tenant_id)
            with self._judging:
                if not turn.take(end, data):
                    return

    def _hand_over(self, turn: _Turn, source: Source) -> None:
        """Give the plane our newest cosignature: once, and once more after each start of this process."""
        log_id, verified = turn.state.log.log_id, turn.verified
        if turn.finding is None and verified.size and self._handed.get(log_id) != verified.size:
            source.cosign(verified.size, verified.note.splitlines(keepends=True)[-1])
            self._handed[log_id] = verified.size


class _Turn:
    """One plane's pull under way."""

    def __init__(self, keeping: Keeping, state: State, key: PublicKey, source: Source) -> None:
        self._keeping, self._key, self._source = keeping, key, source
        self.state, self.verified = state, state.verified
        self.points: list[Point] = []
        self.finding: Finding | None = None
        self._events, self._plane_size, self._heard, self._beyond = 0, 0, False, False

    @property
    def _log(self) -> LogRow:
        return self.state.log

    def look(self) -> bool:
        """Ask for the checkpoints, that of the verified size among them; whether all is well with them."""
        shown = self._source.checkpoints(max(self.verified.size - 1, 0))
        judged = judge_checkpoints(self._key, self.verified, shown.checkpoints, shown.latest)
        if isinstance(judged, Problem):
            return self._stop(judged)
        self._heard, self.points = True, judged
        self._plane_size = judged[-1].said.size if judged else self.verified.size
        if len(judged) > 1 and judged[-1].note not in shown.checkpoints:
            # More lie before the newest than one answer holds: it is for a later look.
            self.points, self._beyond = judged[:-1], True
        return True

    def fetch(self) -> tuple[int, bytes]:
        """The events of the next step, and the size at which it ends."""
        end = step_end(self.verified, self.points)
        if too_far(self.verified, self.points, end) is not None:
            return end, b""
        return end, _lines(self._source, self.verified.size, end)

    def take(self, end: int, data: bytes) -> bool:
        """Judge and store a step; whether it holds."""
        judged = too_far(self.verified, self.points, end) or judge_events(
            self._log.tenant_id, self.verified, self.points, end, data
        )
        if isinstance(judged, Step):
            self.verified = self._keeping.add(self._log, self.verified, judged)
            self._events += len(judged.entries)
            self.points = [point for point in self.points if point.said.size > end]
            return True
        return self._stop(self._looked_back(judged) if judged.finding is Finding.ALTERED else judged)

    def result(self, code: str) -> Pulled:
        """What the pull came to."""
        return Pulled(
            log_id=self._log.log_id,
            events=self._events,
            size=self.verified.size,
            plane_size=self._plane_size,
            heard=self._heard,
            more=bool(self.points or self._beyond) and self.finding is None and not code,
            finding=self.finding,
            code=code,
        )

    def _stop(self, problem: Problem) -> bool:
        self._keeping.raise_alert(self._log, self.verified.size, problem)
        self.finding = problem.finding
        return False

    def _looked_back(self, problem: Problem) -> Problem:
        """Read the past again: did the plane rewrite it, or does it only show other events than it signed?"""
        at = max(0, self.verified.size - REREAD)
        while at < self.verified.size:
            end = min(at + ASKED, self.verified.size)
            data = _lines(self._source, at, end)
            try:
                leaves = [entry.leaf for entry in read_page(data, self._log.tenant_id, at, end - at).entries]
            except Found:
                return problem
            found = self._keeping.differs(self._log, at, leaves)
            if found is not None:
                number, kept = found
                return rewritten(problem, number, kept, data.split(b"\n")[number - at] + b"\n")
            at = end
        return problem


def _lines(source: Source, start: int, end: int) -> bytes:
    """The lines of events [start, end), as many answers as that takes; less where the source ends or misbehaves."""
    parts: list[bytes] = []
    at, size = start, 0
    while at < end and size <= MAX_STEP_BYTES:
        part = source.events(at - 1, min(end - at, ASKED))
        parts.append(part)
        count = part.count(b"\n")
        at, size = at + count, size + len(part)
        if not count or not part.endswith(b"\n"):
            break
    return b"".join(parts)
