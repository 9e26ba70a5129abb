"""Reading a page of export lines: {"event": {...}, "sequence": n}, one a line, in the one canonical form.

A page is decoded once and encoded once, both in one call; where the result is the page itself, every line of it was
canonical, and the bytes of each event can be cut out of its line instead of being encoded again. Only a page that
does not pass is looked at line by line, to name the spot.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final

import msgspec

from frostbyte.control_plane.ledger.records import Entry, Finding

MAX_LINE: Final = 1 << 20
"""Bytes of one line, as for the offline verifier; real ones have under 64 KiB."""

_Scalar = int | str | bool | None


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event's fields in the order of canonical JSON. No floats: canonical JSON has none."""

    actor: str
    details: dict[str, _Scalar | list[_Scalar]]
    event_id: str
    previous_event_id: str | None
    resource_id: str
    resource_type: str
    tenant_id: str
    timestamp: str
    type: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of an export."""

    event: Event
    sequence: int


class Found(Exception):
    """The judge found something. Internal to verification: it never leaves it.

    Args:
        finding: its name.
        position: the event's number or the checkpoint's size.
        message: what is wrong, without the plane's text.
        evidence: what shows it.
    """

    def __init__(self, finding: Finding, position: int, message: str, evidence: bytes = b"") -> None:
        super().__init__(message)
        self.finding, self.position, self.message, self.evidence = finding, position, message, evidence


class Page(msgspec.Struct, frozen=True):
    """A page that is well-formed: contiguous, canonical, this tenant's."""

    lines: list[Line]
    entries: list[Entry]


_decoder: Final = msgspec.json.Decoder(Line)
_encoder: Final = msgspec.json.Encoder(order="deterministic")
_plain: Final = re.compile(r"[!-~]{1,160}").fullmatch
_moment: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII).fullmatch
_NUL: Final = b"\\u0000"
_OPENING: Final = len(b'{"event":')


def read_page(data: bytes, tenant_id: str, first: int, count: int) -> Page:
    """Take a page apart.

    Args:
        data: what the plane answered.
        tenant_id: whose plane it is.
        first: number that the first event must have.
        count: events that must be there.

    Raises:
        Found: `malformed`, `gap`, `foreign_events`.
    """
    try:
        lines = _decoder.decode_lines(data)
        good = _NUL not in data and _encoder.encode_lines(lines) == data
    except (msgspec.DecodeError, ValueError, RecursionError):
        good = False
    if not good or [line.sequence for line in lines] != list(range(first, first + count)):
        raise _named(data, tenant_id, first, count)
    events = [line.event for line in lines]
    if any(event.tenant_id != tenant_id for event in events):
        raise _named(data, tenant_id, first, count)
    sha256, closing = hashlib.sha256, len(b',"sequence":}')
    entries: list[Entry] = []
    for line, raw in zip(lines, data.split(b"\n"), strict=False):
        event, number = line.event, line.sequence
        if not (_plain(event.type) and _plain(event.resource_id) and _moment(event.timestamp)) or len(raw) > MAX_LINE:
            raise _named(data, tenant_id, first, count)
        body = raw[_OPENING : -closing - len(str(number))]
        try:
            moment = datetime.fromisoformat(event.timestamp)
        except ValueError:
            raise _named(data, tenant_id, first, count) from None
        entries.append(Entry(number, event.type, moment, event.resource_id, sha256(b"\x00" + body).digest(), body))
    return Page(lines, entries)


def read_line(raw: bytes) -> Line | None:
    """One line without its newline, if it is a well-formed event line."""
    try:
        line = _decoder.decode(raw)
        datetime.fromisoformat(line.event.timestamp)
        event = line.event
        fits = _plain(event.type) and _plain(event.resource_id) and _moment(event.timestamp) and _NUL not in raw
        return line if fits and len(raw) <= MAX_LINE and _encoder.encode(line) == raw else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _named(data: bytes, tenant_id: str, first: int, count: int) -> Found:
    """The first spot of a page that does not pass."""
    expected = first
    for raw in data.split(b"\n")[:-1]:
        line = read_line(raw)
        if line is None:
            return Found(Finding.MALFORMED, expected, "this is no event line in canonical form", raw)
        if line.event.tenant_id != tenant_id:
            return Found(Finding.FOREIGN_EVENTS, expected, "the event belongs to another tenant", raw)
        if line.sequence != expected:
            return Found(Finding.GAP, expected, f"number {line.sequence} stands in the place of {expected}", raw)
        if expected == first + count:
            return Found(Finding.MALFORMED, expected, "more events were sent than were asked for", raw)
        expected += 1
    rest = data[data.rfind(b"\n") + 1 :]
    if rest:
        return Found(Finding.MALFORMED, expected, "the answer ends within a line", rest)
    return Found(Finding.GAP, expected, f"the events end before {first + count}, though that many were signed")
