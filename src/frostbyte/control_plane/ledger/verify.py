"""What a plane shows, judged: pure, no store and no network.

First the checkpoints are judged (`judge_checkpoints`): each must be signed by the pinned key, none may contradict
another or what was verified before. They say how far the log goes; the events up to one of them are then asked for and
judged (`judge_events`): canonical, contiguous, this tenant's, and their leaves must lead from the edge that was
verified before to the root of every checkpoint on the way. So whatever is stored, a signature of the plane vouches for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from frostbyte.control_plane.ledger.lines import Event, Found, Line, Page, read_page
from frostbyte.control_plane.ledger.records import MAX_EVIDENCE, Entry, Finding
from frostbyte.control_plane.ledger.tree import grown, root
from frostbyte.kernel.audit.checkpoint import Checkpoint, PublicKey, open_checkpoint
from frostbyte.kernel.errors import Invalid

STEP: Final = 10_000
"""Events verified and stored in one transaction, where the checkpoints allow it: the most that a plane answers."""

MAX_STEP: Final = 100_000
"""Events between two checkpoints at most. A sequencer signs every 1,000; a log beyond this is not followed."""


MAX_NOTE: Final = 16 * 1024
"""Characters of a checkpoint at most: text and the signatures of a few dozen witnesses."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How far a log is verified."""

    size: int = 0
    edge: Sequence[bytes] = ()
    note: str = ""
    """The checkpoint of this size; '' while nothing is verified."""
    root: bytes = b""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What does not hold, and what shows it."""

    finding: Finding
    position: int
    message: str
    evidence: bytes


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that the pinned key signed."""

    said: Checkpoint
    note: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Events that hold, and the state after them."""

    entries: list[Entry]
    after: Verified
    loose: list[Line]
    """Events whose predecessor lies before the page: the store has it, if it is there."""
    broken: Problem | None
    """A document's chain that does not hold within the page. The log itself does."""


def judge_checkpoints(
    key: PublicKey, verified: Verified, notes: Sequence[str], latest: str | None
) -> list[Point] | Problem:
    """Check what a plane shows of its checkpoints.

    Args:
        key: the log's pinned key.
        verified: what was verified before.
        notes: checkpoints from `verified.size` on, as the plane shows them.
        latest: its newest; None where it says that there is none.

    Returns:
        those that are larger than what was verified, by size, the newest among them; or the problem.
    """
    points: dict[int, Point] = {}
    if verified.note:
        points[verified.size] = Point(
            said=Checkpoint(origin=key.name, size=verified.size, root=verified.root), note=verified.note
        )
    newest = 0
    for note in [*notes, *([latest] if latest is not None else [])]:
        try:
            said = open_checkpoint(note[:MAX_NOTE], key)
        except Invalid as error:
            wrong = error.code == "checkpoint_signature_wrong"
            return Problem(
                finding=Finding.SIGNATURE_WRONG if wrong else Finding.MALFORMED,
                position=verified.size,
                message="a checkpoint is not signed by the log's key" if wrong else "a checkpoint is no signed note",
                evidence=_evidence(note),
            )
        known = points.setdefault(said.size, Point(said=said, note=note))
        if known.said.root != said.root:
            return Problem(
                finding=Finding.FORK,
                position=said.size,
                message=f"the log's key signed two histories of {said.size} events",
                evidence=_evidence(known.note, note),
            )
        newest = said.size  # of the last one: `latest`
    if newest < verified.size:
        return Problem(
            finding=Finding.ROLLBACK,
            position=newest,
            message=f"the plane's newest checkpoint is of {newest} events, after one of {verified.size} was seen",
            evidence=_evidence(verified.note, *([latest] if latest is not None else [])),
        )
    return [points[size] for size in sorted(points) if size > verified.size]


def step_end(verified: Verified, points: Sequence[Point], most: int = STEP) -> int:
    """Up to which size the next events are asked for: the largest checkpoint within `most` events, or the next one."""
    within = [point.said.size for point in points if point.said.size <= verified.size + most]
    return within[-1] if within else points[0].said.size


def too_far(verified: Verified, points: Sequence[Point], end: int) -> Problem | None:
    """The problem of a log whose next checkpoint lies further away than a step may be."""
    if end - verified.size <= MAX_STEP:
        return None
    return Problem(
        finding=Finding.MALFORMED,
        position=end,
        message=f"more than {MAX_STEP} events lie between two checkpoints",
        evidence=_evidence(verified.note, points[0].note),
    )


def judge_events(tenant_id: str, verified: Verified, points: Sequence[Point], end: int, data: bytes) -> Step | Problem:
    """Check the events between what is verified and the checkpoint of size `end`.

    Args:
        tenant_id: whose plane it is.
        verified: what was verified before.
        points: what `judge_checkpoints` returned; `end` is the size of one of them.
        end: where the step ends.
        data: the export lines of events [verified.size, end).
    """
    start = verified.size
    try:
        page = read_page(data, tenant_id, start, end - start)
    except Found as found:
        return Problem(
            finding=found.finding,
            position=found.position,
            message=found.message,
            evidence=_evidence(points[-1].note, rest=found.evidence),
        )
    edge, at = list(verified.edge), start
    leaves = [entry.leaf for entry in page.entries]
    for point in points:
        size = point.said.size
        if size > end:
            break
        edge = grown(at, edge, leaves[at - start : size - start])
        at = size
        if root(edge) != point.said.root:
            return _mismatch(verified, point, page)
        last = point
    after = Verified(size=end, edge=edge, note=last.note, root=last.said.root)
    broken, loose = judge_chains(page)
    return Step(entries=page.entries, after=after, loose=loose, broken=broken)


def judge_chains(page: Page, before: Mapping[str, Event] = MappingProxyType({})) -> tuple[Problem | None, list[Line]]:
    """Follow the documents' chains as far as a page shows them.

    Args:
        page: the events.
        before: earlier events of the same resources by their ids, as far as they were looked up.

    Returns:
        the first link that does not hold, and the events whose predecessor was not found. An event may be numbered
        before its predecessor, because the clocks of a plane's hosts differ: what is not found is no problem.
    """
    known = {line.event.event_id: line.event for line in page.lines}
    loose: list[Line] = []
    continued = {event.previous_event_id: event.event_id for event in before.values()}
    for line in page.lines:
        event, previous = line.event, line.event.previous_event_id
        if previous is None:
            if event.details.get("input_hash", ""):
                return _broken(line.sequence, "begins a chain, but with an input", event), loose
            continue
        if continued.setdefault(previous, event.event_id) != event.event_id:
            return _broken(line.sequence, "continues an event that another one continues", event), loose
        earlier = known.get(previous) or before.get(previous)
        if earlier is None:
            loose.append(line)
        elif not linked(earlier, event):
            return _broken(line.sequence, "does not begin with what the one before it ended with", event), loose
    return None, loose


def linked(earlier: Event, event: Event) -> bool:
    """Whether the event continues the earlier one: the same resource, and its output is the input."""
    same = earlier.resource_id == event.resource_id
    return same and earlier.details.get("output_hash", "") == event.details.get("input_hash", "")


def _broken(position: int, message: str, event: Event) -> Problem:
    return Problem(
        finding=Finding.CHAIN_BROKEN,
        position=position,
        message=f"the event {message}",
        evidence=_evidence(rest=msgspec.json.encode(event)),
    )


def _mismatch(verified: Verified, point: Point, page: Page) -> Problem:
    """The leaves do not lead to the root that was signed. Whether the past was rewritten, only the past can tell."""
    lines = b"".join(entry.line for entry in page.entries[:4])
    return Problem(
        finding=Finding.ALTERED,
        position=point.said.size,
        message=f"the events from {verified.size} on do not lead to the checkpoint of {point.said.size} events",
        evidence=_evidence(verified.note, point.note, rest=lines),
    )


def rewritten(problem: Problem, position: int, cosigned: bytes, shown: bytes) -> Problem:
    """The same finding once the past was read again and found to be another: a fork.

    Args:
        problem: of kind `ALTERED`; its evidence begins with both signed notes.
        position: number of the first event that is not what it was.
        cosigned: the line that was verified and cosigned.
        shown: what the plane shows in its place now.
    """
    notes = problem.evidence.partition(_RULE)[0]
    return Problem(
        finding=Finding.FORK,
        position=position,
        message=f"event {position} is not what it was when its history was cosigned",
        evidence=(notes + _RULE + cosigned[:2048] + shown[:2048])[:MAX_EVIDENCE],
    )


_RULE: Final = b"--\n"


def _evidence(*notes: str, rest: bytes = b"") -> bytes:
    """Signed notes, then the bytes around the spot, cut to a bounded size."""
    parts = [note[:4096].encode(errors="replace") for note in notes if note]
    return (b"\n".join(parts) + (_RULE + rest[:4096] if rest else b""))[:MAX_EVIDENCE]
