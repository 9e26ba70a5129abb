"""Operations as sentences, as far as no audit event tells it: beginnings, failures on the way, ends. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from frostbyte.control_plane.history.line import Line
from frostbyte.control_plane.registry.operations import ENDS
from frostbyte.control_plane.registry.records import DUTIES, OperationKind, OperationRow, OperationStatus, StepRow

_K = OperationKind
SUPERSEDED: Final = "operation_superseded"
CALLED: Final[dict[OperationKind, str]] = {
    _K.PROVISION: "Taking it into service",
    _K.SUSPEND: "Suspending it",
    _K.RESUME: "Letting it run again",
    _K.DEPROVISION: "Closing it",
    _K.SCALE: "Scaling it",
    _K.UPDATE: "Updating it",
    _K.REPAIR: "Repairing it",
    _K.BACKUP: "Backing it up",
    _K.RESTORE: "Restoring it",
    _K.REFRESH: "Bringing it what is fresh",
    _K.ROTATE_AGE: "Making anew what seals its secrets",
    _K.ROTATE_CERTIFICATES: "Making its certificates anew",
    _K.ROTATE_CREDENTIALS: "Making its credentials anew",
    _K.ROTATE_KEYS: "Making all its keys anew",
}
"""What each kind is called, as a sentence begins."""
_UNITS: Final = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


def lines(operation: OperationRow, steps: Sequence[StepRow], now: datetime, *, ended: bool = False) -> Iterator[Line]:
    """What is told of one operation, in order.

    Args:
        steps: all of its.
        now: how long one runs that has not ended is told until then.
        ended: an event tells how it ended.
    """
    called = CALLED[operation.kind]
    if operation.kind in DUTIES:  # the others begin with a move, whose event says so
        why = f" ({operation.reason})" if operation.reason else ""
        yield _line(operation, operation.started_at, f"{called} was begun by {operation.actor}{why}.")
    yield from _troubles(operation, steps)
    if operation.ended_at is None:
        last = f"; last came the step {steps[-1].step}" if steps else ""
        yield _line(operation, now, f"{called} has gone on for {length(operation, now)}{last}.")
    elif not ended and operation.kind not in ENDS:
        yield _line(operation, operation.ended_at, _end(called, operation, operation.ended_at), operation.code)


def length(operation: OperationRow, until: datetime) -> str:
    """For how long it went on, for people."""
    seconds = (until - operation.started_at).total_seconds()
    for unit, each in _UNITS:
        if seconds >= 2 * each:
            return f"{seconds / each:.0f} {unit}"
    return f"{max(seconds, 0.0):.1f} seconds"


def _end(called: str, operation: OperationRow, at: datetime) -> str:
    if operation.code == SUPERSEDED:
        return f"{called} was overtaken by a newer decision after {length(operation, at)}."
    if operation.code:
        return f"{called} failed after {length(operation, at)}: {operation.code}."
    return f"{called} was done after {length(operation, at)}."


def _troubles(operation: OperationRow, steps: Sequence[StepRow]) -> Iterator[Line]:
    """Steps that failed, each once for as often as it did so in a row."""
    failed: list[StepRow] = []
    for step in (*steps, None):
        if failed and (step is None or _other(step, failed[-1])):
            last, times = failed[-1], f" {len(failed)} times" if len(failed) > 1 else ""
            yield _line(operation, last.at, f"The step {last.step} failed{times}: {last.code}.", last.code)
            failed = []
        if step is not None and step.status is OperationStatus.FAILED:
            failed.append(step)


def _other(step: StepRow, last: StepRow) -> bool:
    """Whether a step is another failure, or ends this one; the same one begun once more does neither."""
    if step.status is OperationStatus.RUNNING:
        return step.step != last.step
    return (step.step, step.code, step.status) != (last.step, last.code, last.status)


def _line(operation: OperationRow, at: datetime, sentence: str, code: str = "") -> Line:
    return Line(at=at, sentence=sentence, of=operation.kind.value, id=str(operation.operation_id), code=code)
